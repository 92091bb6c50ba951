"""Training and comparing from Python: what `foveate fit` and `foveate compare` do, with results as objects."""
