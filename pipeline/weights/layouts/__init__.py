"""Layouts: the names that published files use for the same weights."""
