"""Loggers: a local CSV file is always written, Weights & Biases if the recipe asks for it."""
