"""All 34 ids of Cityscapes' label files as classes, those that its benchmark ignores included."""

from __future__ import annotations

from foveate.datasets.labels import CITYSCAPES, CITYSCAPES_CATEGORIES, LabelSet

# Names and colours as published with the data set; a class's number is its id. License plates (-1) are in no file.
CITYSCAPES_ALL = LabelSet(
    name="cityscapes all",
    names=(
        "unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground", "road",
        "sidewalk", "parking", "rail track", "building", "wall", "fence", "guard rail", "bridge", "tunnel", "pole",
        "polegroup", "traffic light", "traffic sign", "vegetation", "terrain", "sky", "person", "rider", "car",
        "truck", "bus", "caravan", "trailer", "train", "motorcycle", "bicycle",
    ),
    colours=(
        (0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0), (111, 74, 0), (81, 0, 81), (128, 64, 128),
        (244, 35, 232), (250, 170, 160), (230, 150, 140), (70, 70, 70), (102, 102, 156), (190, 153, 153),
        (180, 165, 180), (150, 100, 100), (150, 120, 90), (153, 153, 153), (153, 153, 153), (250, 170, 30),
        (220, 220, 0), (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60), (255, 0, 0), (0, 0, 142),
        (0, 0, 70), (0, 60, 100), (0, 0, 90), (0, 0, 110), (0, 80, 100), (0, 0, 230), (119, 11, 32),
    ),
    ids=tuple(range(34)),
    void_ids=(255,),
    levels={"classes": {name: (name,) for name in CITYSCAPES.names}, "categories": CITYSCAPES_CATEGORIES},
)  # fmt: skip
