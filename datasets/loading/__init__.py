"""Samplers, the order of an epoch, loaders."""
