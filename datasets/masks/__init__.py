"""Reads masks of every kind as train ids."""
