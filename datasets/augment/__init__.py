"""Augmentation and resizing of images and masks."""
