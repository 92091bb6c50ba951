"""What `foveate predict` wrote, in words and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA = 1  # a change that a reader of the JSON has to know of gets another number


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What was written.

    Attributes:
        out: The folder.
        kind: segmentation or classification.
        classes: Names of the classes.
        outputs: What was written of each image.
        images: How many images were found.
        left_out: How many of them were written before (--resume).
        faults: Why images could not be read.
        told: Where the files are, in words.
    """

    out: Path
    kind: str
    classes: Sequence[str]
    outputs: Sequence[str]
    images: int
    left_out: int
    faults: Sequence[str]
    told: str

    @property
    def sentence(self) -> str:
        """One line for people."""
        before = f" ({self.left_out} of them before)" if self.left_out else ""
        return f"{self.images - len(self.faults)} images{before}: {self.told}"

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "schema": SCHEMA,
            "kind": self.kind,
            "out": str(self.out),
            "outputs": list(self.outputs),
            "classes": list(self.classes),
            "images": self.images,
            "written": self.images - self.left_out - len(self.faults),
            "written_before": self.left_out,
            "faults": list(self.faults),
        }
