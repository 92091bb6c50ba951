"""Complete recipes, found by their bare names."""
