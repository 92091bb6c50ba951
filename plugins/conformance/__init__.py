"""What a block must keep to, as small rules; `foveate.plugins.testing` is the door."""
