"""A trained model over HTTP: `foveate serve`."""
