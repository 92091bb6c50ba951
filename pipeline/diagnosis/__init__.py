"""What `foveate doctor` finds out about an installation and its machine, without a network."""
