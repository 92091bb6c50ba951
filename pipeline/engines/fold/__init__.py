"""Batch norms, scales and activations folded into the convolutions beside them."""
