"""The 7 classes of LoveDA, in the order of their ids 1 to 7."""

from __future__ import annotations

from foveate.datasets.labels import LabelSet

# Wang et al. 2021, arXiv:2110.08733. The background is a class, which is scored; 0 marks places without an image.
LOVEDA = LabelSet(
    name="loveda",
    names=("background", "building", "road", "water", "barren", "forest", "agriculture"),
    colours=(
        (255, 255, 255), (255, 0, 0), (255, 255, 0), (0, 0, 255), (159, 129, 183), (0, 255, 0), (255, 195, 128),
    ),
    ids=tuple(range(1, 8)),
    void_ids=(0,),
)  # fmt: skip
