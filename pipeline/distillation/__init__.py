"""Distillation: trains an encoder, with any block, to reproduce the feature maps of a teacher; needs no labels."""
