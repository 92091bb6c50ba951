"""Doubted labels: regions, or whole images, where a trained network contradicts the label with confidence."""
