"""How a synthetic street scene is laid out and painted."""
