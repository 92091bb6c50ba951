"""Intervals and tests by resampling images: how certain a figure is, and whether two figures differ."""
