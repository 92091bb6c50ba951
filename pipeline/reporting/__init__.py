"""One page about runs: what was trained, how good it is, and where it fails."""
