"""Classification images packed into shards."""
