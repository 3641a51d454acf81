"""What a trained model is worth, and the pictures and tables made from it."""
