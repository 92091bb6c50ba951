"""Ways to run a trained network: as it is, folded, compiled, or by another runtime."""
