"""Annotations as labelling tools export them, and the index masks that are drawn from them."""
