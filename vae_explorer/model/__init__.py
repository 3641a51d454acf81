"""Models as three distributions: posterior, prior, likelihood."""
