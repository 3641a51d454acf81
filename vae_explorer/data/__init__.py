"""Image data: torch-free sources that all end in one `ImageData`."""
