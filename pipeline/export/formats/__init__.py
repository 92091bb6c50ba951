"""The file formats of exported models, one a file."""
