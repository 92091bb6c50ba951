"""Reading and decoding image and label files."""
