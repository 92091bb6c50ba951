"""What an exported model takes and gives, as JSON inside the file."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.export.formats.names import INPUT

SCHEMA = 1
LOGITS, LABELS = "logits", "labels"
SEGMENTATION, CLASSIFICATION = "segmentation", "classification"
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Contract:
    """The contract of an exported model. Images go in as bytes; the graph itself normalises them.

    Attributes:
        kind: segmentation or classification.
        output: logits (B, K, H, W) or (B, K) as float32, or labels (B, H, W) or (B,): class numbers 0 to K - 1.
        names: Of the classes, in the order of their numbers.
        colours: An RGB triple for each class; none for a classifier.
        ids: The data set's own id of each class; none for a classifier.
        mean: Mean that the graph subtracts from each channel, for images in 0-255.
        std: What the graph divides each channel by.
        channels: Of the images.
        size: Height and width of the images; None if any are taken.
        multiple_of: Height and width are multiples of this number.
        precision: fp32, fp16, bf16 or int8.
        network: Name of the network.
        recipe: The recipe that it was trained with.
        settings: How images are prepared for it at evaluation: `inference` of a segmenter, and options of the data.
        plugins: Distribution, version and entry point of each part.
        licence: Of the weights, as the exporter stated it.
        checkpoint: Name and step of the checkpoint.
        versions: Of the software that wrote the file.
        runtime_hints: Settings with which the runtime must open the file.
        self_test: Images and answers; see `check_model.py`.
    """

    kind: str
    output: str
    names: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...] = ()
    ids: tuple[int, ...] = ()
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: int = 3
    size: tuple[int, int] | None
    multiple_of: int = 1
    precision: str = "fp32"
    network: str = ""
    recipe: Json = field(default_factory=dict)
    settings: Json = field(default_factory=dict)
    plugins: Json = field(default_factory=dict)
    licence: str = "not stated"
    checkpoint: Json = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    runtime_hints: dict[str, str] = field(default_factory=dict)
    self_test: Json | None = None

    def as_json(self) -> Json:
        """The JSON that is written into the file, without what only the writer adds."""
        shape = ["batch", self.channels, *(self.size or ("height", "width"))]
        given = {
            "schema": SCHEMA,
            "kind": self.kind,
            "input": {
                "name": INPUT,
                "dtype": "uint8",
                "layout": "NCHW",
                "colours": "RGB" if self.channels == 3 else f"{self.channels} bands in the order of the training",
                "shape": shape,
                "size": None if self.size is None else list(self.size),
                "multiple_of": self.multiple_of,
                "normalisation": {"inside_the_graph": True, "mean": list(self.mean), "std": list(self.std)},
            },
            "output": {"name": self.output, "classes": len(self.names)},
            "classes": {
                "names": list(self.names),
                "colours": [list(colour) for colour in self.colours],
                "ids": list(self.ids),
            },
            "precision": self.precision,
            "network": self.network,
            "settings": self.settings,
            "recipe": self.recipe,
            "plugins": self.plugins,
            "licence": self.licence,
            "checkpoint": self.checkpoint,
            "versions": self.versions,
            "runtime_hints": self.runtime_hints,
        }
        return given if self.self_test is None else {**given, "self_test": self.self_test}

    def with_test(self, test: Json) -> Contract:
        """The same contract with a self-test.

        Args:
            test: See `create_self_test`.
        """
        return replace(self, self_test=test)

    def accepts(self, height: int, width: int) -> bool:
        """Whether the file takes images of a size.

        Args:
            height: Of the images, in pixels.
            width: Of the images, in pixels.
        """
        if self.size is not None:
            return (height, width) == self.size
        return height % self.multiple_of == 0 and width % self.multiple_of == 0

    @property
    def sizes(self) -> str:
        """The sizes that are taken, in words."""
        if self.size is not None:
            return f"{self.size[0]} x {self.size[1]} alone"
        return "any size" if self.multiple_of == 1 else f"any multiple of {self.multiple_of}"


def read_contract(given: Mapping[str, Any], path: object = "the file") -> Contract:
    """The contract that JSON holds.

    Args:
        given: The JSON.
        path: Where it stood, for messages.

    Raises:
        CheckpointError: It is incomplete, or of another version.
    """
    try:
        if given["schema"] != SCHEMA:
            raise CheckpointError(f"{path}: its contract has version {given['schema']}; this Foveate reads {SCHEMA}")
        taken, classes, size = given["input"], given["classes"], given["input"]["size"]
        normalisation = taken["normalisation"]
        return Contract(
            kind=str(given["kind"]),
            output=str(given["output"]["name"]),
            names=tuple(classes["names"]),
            colours=tuple((int(r), int(g), int(b)) for r, g, b in classes["colours"]),
            ids=tuple(classes["ids"]),
            mean=tuple(normalisation["mean"]),
            std=tuple(normalisation["std"]),
            channels=int(taken["shape"][1]),
            size=None if size is None else (int(size[0]), int(size[1])),
            multiple_of=int(taken["multiple_of"]),
            precision=given["precision"],
            network=given["network"],
            recipe=given["recipe"],
            settings=given["settings"],
            plugins=given["plugins"],
            licence=given["licence"],
            checkpoint=given["checkpoint"],
            versions=given["versions"],
            runtime_hints=given["runtime_hints"],
            self_test=given.get("self_test"),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise CheckpointError(f"{path}: its contract is incomplete ({type(error).__name__}: {error})") from error


def current_versions(*packages: str) -> dict[str, str]:
    """Versions of Python, Foveate and torch, and of further packages that are installed.

    Args:
        packages: Names of distributions.
    """
    found = {"python": platform.python_version()}
    for name in ("foveate", "torch", *packages):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
