"""A record of each evaluated image: its counts, loss and confidence; and what is computed from records."""
