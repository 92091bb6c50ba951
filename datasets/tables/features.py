"""What the columns of a table hold: images, classes, numbers or texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["image", "class", "number", "text", "other"]


@dataclass(frozen=True)
class Feature:
    """What a column holds.

    Attributes:
        kind: Images, numbers of named classes, whole numbers, texts, or anything else.
        names: Names of the classes, in the order of their numbers.
    """

    kind: Kind
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{len(self.names)} classes" if self.names else self.kind


Features = Mapping[str, Feature]


def features_of(schema: Any) -> Features:
    """What the columns of a table hold, by the description that Hugging Face's library adds, else by their types.

    Args:
        schema: The schema of an Arrow table.
    """
    described = _described(schema.metadata or {})
    return {field.name: _feature(described.get(field.name), str(field.type)) for field in schema}


def _described(metadata: Mapping[bytes, bytes]) -> Mapping[str, Any]:
    """The features in a schema's metadata; empty where there are none."""
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        return dict(json.loads(metadata[b"huggingface"])["info"]["features"])
    return {}


def _feature(described: Any, arrow_type: str) -> Feature:
    name = described.get("_type") if isinstance(described, Mapping) else None
    if name == "ClassLabel":
        return Feature("class", tuple(map(str, described.get("names") or ())))
    if name == "Image" or (name is None and _may_be_image(arrow_type)):
        return Feature("image")
    if arrow_type.startswith(("int", "uint", "bool")):
        return Feature("number")
    return Feature("text") if arrow_type in ("string", "large_string", "string_view") else Feature("other")


def _may_be_image(arrow_type: str) -> bool:
    """Whether a type holds the content of files."""
    return arrow_type in ("binary", "large_binary") or (
        arrow_type.startswith("struct<") and "bytes: binary" in arrow_type
    )
