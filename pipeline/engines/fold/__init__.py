"""Folding of batch norms, scales and activations into the adjacent convolutions."""
