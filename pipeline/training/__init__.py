"""From a command line to a run: parses recipes and flags, builds task, data and trainer, and runs them."""
