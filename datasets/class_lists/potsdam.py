"""The 6 classes of ISPRS Potsdam, in the order of the benchmark's table."""

from __future__ import annotations

from foveate.datasets.labels import LabelSet

# The label files hold these colours; the ids are ours, for prediction files.
POTSDAM = LabelSet(
    name="potsdam",
    names=("impervious surfaces", "building", "low vegetation", "tree", "car", "clutter"),
    colours=((255, 255, 255), (0, 0, 255), (0, 255, 255), (0, 255, 0), (255, 255, 0), (255, 0, 0)),
    ids=tuple(range(6)),
    void_ids=(255,),
)
BOUNDARY = (0, 0, 0)  # of the label files without boundaries: pixels near a border, left out of scores
