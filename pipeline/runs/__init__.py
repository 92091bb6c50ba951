"""The files of a run: its directory, its recipe, its checkpoints."""
