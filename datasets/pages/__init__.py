"""Self-contained HTML pages about a data set: one file, no network, light and dark, for phones too."""
