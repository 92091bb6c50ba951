"""Counts over a training split: pixels and images of each class, objects, and the images' channels."""
