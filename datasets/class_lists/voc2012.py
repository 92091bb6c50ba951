"""The 21 classes of Pascal VOC 2012: 20 objects and the background, in the order of their ids."""

from __future__ import annotations

from foveate.datasets.labels import LabelSet
from foveate.datasets.palette import distinct_colours

# Names as in the devkit (Everingham et al. 2010); colours of its colour map, which label files carry as their palette.
VOC2012 = LabelSet(
    name="voc2012",
    names=(
        "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
        "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
    ),
    colours=tuple(distinct_colours(21)),
    ids=tuple(range(21)),
    void_ids=(255,),  # borders of objects, and difficult ones
)  # fmt: skip
