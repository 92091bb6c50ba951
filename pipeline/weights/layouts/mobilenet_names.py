"""timm's names of a MobileNetV2, which number the blocks within each stage."""

from __future__ import annotations

from collections.abc import Iterator

BLOCKS = (1, 2, 3, 4, 3, 3, 1)  # number of blocks in each stage (arXiv:1801.04381, table 2)
FIRST = {"conv_dw": "0.0", "bn1": "0.1", "conv_pw": "1", "bn2": "2"}  # the first block has no expansion
LATER = {"conv_pw": "0.0", "bn1": "0.1", "conv_dw": "1.0", "bn2": "1.1", "conv_pwl": "2", "bn3": "3"}
ENDS = {
    "conv_stem": "encoder.features.0.0",
    "bn1": "encoder.features.0.1",
    "conv_head": "head.conv.0",
    "bn2": "head.conv.1",
    "classifier": "head.classifier",
}


def timm_mobilenet_pairs() -> tuple[tuple[str, str], ...]:
    """Pairs of timm's name and ours, for each layer."""
    return tuple((f"{theirs}.{{p}}", f"{ours}.{{p}}") for theirs, ours in [*ENDS.items(), *_blocks()])


def _blocks() -> Iterator[tuple[str, str]]:
    number = 0
    for stage, count in enumerate(BLOCKS):
        for block in range(count):
            number += 1
            layers = LATER if stage else FIRST
            for theirs, ours in layers.items():
                yield f"blocks.{stage}.{block}.{theirs}", f"encoder.features.{number}.conv.{ours}"
