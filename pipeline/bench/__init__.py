"""`foveate bench`: how fast a network is on this machine, and which modules take the time."""
