"""How fast a network is on this machine, and where the time goes."""
