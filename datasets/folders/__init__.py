"""Finds images, masks and splits in folders that nobody arranged for us."""
