"""Loggers: a local CSV file is always written; Weights & Biases is used if the recipe asks for it."""
