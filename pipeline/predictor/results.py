"""What a predictor says of an image: the class of each pixel, or of the whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from numpy.typing import NDArray
from PIL import Image

from foveate.datasets.classes import ClassSet
from foveate.datasets.labels import LabelSet
from foveate.pipeline import cards
from foveate.pipeline.callbacks.drawing import draw_overlay
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.files import fitting
from foveate.pipeline.pictures import confidence_bytes, indexed, write_png
from foveate.pipeline.polygons import coco_polygons, geojson_polygons
from foveate.plugins.hints import did_you_mean

FORMATS = ("coco", "geojson")
SHOWN = 8  # classes in a notebook


@dataclass(frozen=True, kw_only=True)
class Segmentation:
    """The class of each pixel of an image.

    Attributes:
        name: The path of the image, or which of the images it is.
        image: The image in bytes, (H, W, C).
        labels: The train id of each pixel, (H, W): an index into `classes`.
        confidence: The probability of that class, (H, W), 0 to 1.
        probabilities: The probability of each class, (K, H, W), if it was asked for.
        label_set: Names, colours and the data set's own ids of the classes.
    """

    name: str
    image: UInt8[np.ndarray, "H W C"] = field(repr=False)
    labels: UInt8[np.ndarray, "H W"] = field(repr=False)
    confidence: Float32[np.ndarray, "H W"] = field(repr=False)
    probabilities: Float32[np.ndarray, "K H W"] | None = field(default=None, repr=False)
    label_set: LabelSet = field(repr=False)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, by train id."""
        return self.label_set.names

    def shares(self) -> dict[str, float]:
        """The share of the pixels that each class has, 0 to 1; classes that do not occur have 0."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.classes))
        return {name: int(count) / self.labels.size for name, count in zip(self.classes, counts, strict=False)}

    def overlay(self, opacity: float = 0.5) -> Image.Image:
        """The image under the colours of its classes, at its own size.

        Args:
            opacity: Weight of the colours, 0 to 1.

        Raises:
            ConfigError: The opacity is out of range.
        """
        if not 0 <= opacity <= 1:
            raise ConfigError(f"opacity is from 0 (the image) to 1 (the colours), not {opacity}")
        rgb = self.image[..., :3] if self.image.shape[2] >= 3 else np.repeat(self.image[..., :1], 3, axis=2)
        return Image.fromarray(draw_overlay(np.ascontiguousarray(rgb), self.labels, self.label_set, strength=opacity))

    def _repr_html_(self) -> str:
        """Overlay and largest classes for a notebook."""
        largest = sorted(self.shares().items(), key=lambda one: -one[1])[:SHOWN]
        rows = [(name, f"{100 * share:.1f} %") for name, share in largest if share]
        return cards.card(self.name, cards.picture(self.overlay()), cards.table(["class", "pixels"], rows))

    def palette(self) -> Image.Image:
        """The train ids as a picture of mode P, which image viewers show in the colours of the classes."""
        return indexed(self.labels, self.label_set.palette())

    def polygons(self, format: str = "coco") -> list[dict[str, Any]]:
        """The connected regions of each class as polygons; filled, they give `labels` back.

        Args:
            format: `coco`: annotations, the categories counted from 1; `geojson`: features, in pixels.

        Raises:
            ConfigError: There is no such format.
        """
        if format not in FORMATS:
            raise ConfigError(f"no format {format!r}{did_you_mean(format, FORMATS)} (accepted: {', '.join(FORMATS)})")
        make = coco_polygons if format == "coco" else geojson_polygons
        return make(self.labels, self.classes)

    def save(self, folder: str | Path) -> list[Path]:
        """Write label map, overlay and confidence, named after the image.

        Args:
            folder: Created if it does not exist.

        Returns:
            The files.
        """
        name, folder = fitting(f"{Path(self.name).stem}.png"), Path(folder)
        pictures = {
            "labels": Image.fromarray(self.label_set.to_regular_ids()[self.labels]),
            "overlays": self.overlay(),
            "confidence": Image.fromarray(confidence_bytes(self.confidence)),
        }
        return [write_png(picture, folder / kind / name) for kind, picture in pictures.items()]


@dataclass(frozen=True, kw_only=True)
class Classification:
    """The class of an image.

    Attributes:
        name: The path of the image, or which of the images it is.
        probabilities: The probability of each class, (K,).
        label_set: The classes.
    """

    name: str
    probabilities: Float32[np.ndarray, " K"] = field(repr=False)
    label_set: ClassSet = field(repr=False)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, by number."""
        return self.label_set.names

    @property
    def label(self) -> str:
        """The name of the most probable class."""
        return self.classes[int(self.probabilities.argmax())]

    def _repr_html_(self) -> str:
        """The most probable classes for a notebook."""
        rows = [(name, f"{100 * probability:.1f} %") for name, probability in self.top()]
        return cards.card(self.name, cards.table(["class", "probability"], rows))

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """Names and probabilities of the most probable classes, the first one first.

        Args:
            k: How many; all classes if there are fewer.
        """
        order: NDArray[np.int64] = np.argsort(-self.probabilities, kind="stable")[:k]
        return [(self.classes[number], float(self.probabilities[number])) for number in order]
