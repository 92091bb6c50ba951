"""The sub-commands that do not train, one file each."""
