"""Arithmetic that blocks and models share and that has to be fast, each beside a plain reference."""
