"""Measurements of a network: time, memory, parameters, multiply-adds and receptive field."""
