"""From a command line to a run: recipes, run directories, checkpoints, and the trainer that is built from them."""
