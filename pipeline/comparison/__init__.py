"""`foveate compare`: attention blocks side by side, on one recipe."""
