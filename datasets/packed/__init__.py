"""Decoded images and masks kept in one file each, for fast random reading."""
