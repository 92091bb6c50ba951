"""Finished runs compared image by image: how much they differ, and whether that can be told from chance."""
