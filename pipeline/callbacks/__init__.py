"""Callbacks of the trainer: they show and keep what happens while a task runs. A task also runs without them."""
