"""Callbacks of the trainer: progress, checkpoints, scores and pictures. A task also runs without them."""
