"""Reads the configs of mmsegmentation without running them, and writes recipes from them."""
