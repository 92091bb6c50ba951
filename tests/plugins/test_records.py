"""The record a plugin author fills in."""

from __future__ import annotations

import dataclasses

import pytest

from foveate.plugins import Block
from foveate.plugins.records import KINDS, Kind, resolve


def record(name: str = "made", kind: Kind = "channel") -> Block:
    return Block(name=name, summary="Made up", kind=kind, build="made_up:Made")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_taken(kind: Kind) -> None:
    assert record(kind=kind).kind == kind


@pytest.mark.parametrize("name", ["", "1x", "../x", "a b", "dist:name", "a.b"])
def test_a_name_that_would_not_survive_a_recipe_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a block's name is letters"):
        record(name)


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        record().name = "other"  # type: ignore[misc]


def test_fields_are_given_by_name_only() -> None:
    with pytest.raises(TypeError, match="positional"):
        Block("made", "Made up", "channel", "made_up:Made")  # type: ignore[call-arg]


def test_resolve_gives_what_the_string_names() -> None:
    assert resolve("foveate.plugins.records:Block") is Block  # type: ignore[comparison-overlap]


def test_resolve_passes_a_callable_on() -> None:
    assert resolve(record) is record  # type: ignore[arg-type,comparison-overlap]


@pytest.mark.parametrize(
    ("build", "error"),
    [
        ("made_up_nowhere:Made", ImportError),
        ("foveate.plugins.records:Nothing", AttributeError),
        ("foveate.plugins.records:KINDS", TypeError),
    ],
)
def test_resolve_says_what_is_not_there(build: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        resolve(build)
