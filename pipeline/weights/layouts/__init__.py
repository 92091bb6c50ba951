"""How published files name the same weights."""
