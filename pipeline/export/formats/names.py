"""Names inside exported files."""

from __future__ import annotations

KEY = "foveate"  # of the contract in the file's metadata
INPUT = "image"  # of the graph's input
