"""Records as text, so that what a plugin offers is known without importing it."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from foveate.plugins.hookspecs import HOOKS
from foveate.plugins.records import Record

Stored = dict[str, Any]  # the kind of a record and its fields
KINDS = {kind.__name__: kind for kind in HOOKS.values()}


def store(record: Record) -> Stored:
    """A record in plain values; `whole` is false where a field cannot be written as text.

    Args:
        record: The record. A function or class in it is written as "module:name" if its module has it by that name.

    Example:
        >>> from foveate.plugins.records import Loss
        >>> stored = store(Loss(name="hinge", summary="Margin", build="my_package.hinge:Hinge"))
        >>> stored["kind"], stored["whole"], stored["fields"]["build"]
        ('Loss', True, 'my_package.hinge:Hinge')
    """
    given = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    fields = {name: _named(value) if callable(value) else value for name, value in given.items()}
    fits = all(value is None or isinstance(value, str | int | float) for value in fields.values())
    lost = any(given[name] is not None and value is None for name, value in fields.items())
    whole = type(record) in KINDS.values() and fits and not lost
    kind = next((name for name, one in KINDS.items() if isinstance(record, one)), "")
    if not whole:
        fields = {name: fields[name] for name in ("name", "api")}
    return {"kind": kind, "noun": record.noun, "whole": whole, "fields": fields}


def restore(stored: Sequence[Mapping[str, Any]]) -> list[Record] | None:
    """The records that were stored; None if one was not stored as a whole.

    Args:
        stored: The results of `store`.

    Raises:
        Exception: They are damaged, or of another version.
    """
    if not all(one["whole"] for one in stored):
        return None
    return [KINDS[one["kind"]](**one["fields"]) for one in stored]


def names_in(stored: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Noun and name of each stored record.

    Args:
        stored: The results of `store`.
    """
    return [(one["noun"], one["fields"]["name"]) for one in stored]


def _named(value: Any) -> str | None:
    """A function or class as "module:name", if its module has it by that name."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module not in sys.modules:
        return None
    return f"{module}:{name}" if getattr(sys.modules[module], name, None) is value else None
