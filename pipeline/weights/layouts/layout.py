"""A layout: a reversible translation between the tensor names of a published file and ours.

It is a list of pairs of templates, theirs and ours. In a template, `{n}` and `{s}` stand for a number, `{later}` for
the number of a stage after the first, `{p}` for one word and `{rest}` for the rest of the name. Our names are
`encoder.*`, `decoder.*` and `head.*`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

Pair = tuple[str, str]
HOLES = {"n": r"\d+", "s": r"\d+", "later": r"[2-9]", "p": r"[A-Za-z_]+", "rest": r".+"}


class Rule(NamedTuple):
    """Matches a name in one naming, and builds the name in the other."""

    pattern: re.Pattern[str]
    wanted: str


def compile_rule(given: str, wanted: str) -> Rule:
    """The rule that translates names from one template to another.

    Args:
        given: Template of the given names.
        wanted: Template of the translated names.

    Example:
        >>> rule = compile_rule("fc.{p}", "head.{p}")
        >>> rule.wanted.format(**rule.pattern.fullmatch("fc.bias").groupdict())
        'head.bias'
    """
    parts = re.split(r"\{(\w+)\}", given)  # text, placeholder, text, placeholder ... text
    pattern = "".join(f"(?P<{part}>{HOLES[part]})" if i % 2 else re.escape(part) for i, part in enumerate(parts))
    return Rule(re.compile(pattern), wanted)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A reversible translation of names.

    Attributes:
        name: Name of the layout in messages.
        families: Prefixes of the names of its models; empty if it is for any model.
        pairs: Pairs of templates, theirs and ours; the first that matches is used.
        gate: Pattern of the tensors in attention slots that have a name in this layout; None allows any.
        export: Name of the layout for `foveate weights export --layout`; None if it cannot be exported.
        segmenters: Whether it is for segmenters (True), for classifiers and single encoders (False), or both (None).
        offset_half: Whether such weights were usually trained with a mean and standard deviation of 0.5.
    """

    name: str
    families: tuple[str, ...]
    pairs: tuple[Pair, ...]
    gate: str | None = None
    export: str | None = None
    segmenters: bool | None = None
    offset_half: bool = False

    @cached_property
    def _to_ours(self) -> list[Rule]:
        return [compile_rule(theirs, ours) for theirs, ours in self.pairs]

    @cached_property
    def _from_ours(self) -> list[Rule]:
        return [compile_rule(ours, theirs) for theirs, ours in self.pairs]

    @cached_property
    def _cache(self) -> dict[tuple[bool, str], str | None]:
        return {}

    def to_ours(self, name: str) -> str | None:
        """Our name of a tensor in the file; None if the layout does not know it.

        Args:
            name: The file's name.
        """
        ours = self._translated(name, to_ours=True)
        return ours if ours is not None and self.from_ours(ours) == name else None

    def from_ours(self, name: str) -> str | None:
        """The file's name of a tensor of ours; None if the layout has no name for it.

        Args:
            name: Our name.
        """
        return self._translated(name, to_ours=False)

    def _translated(self, name: str, *, to_ours: bool) -> str | None:
        """Translate a name, with a cache: the comparison of variants translates the same names many times."""
        key = to_ours, name
        if key not in self._cache:
            self._cache[key] = _translate(name, self._to_ours if to_ours else self._from_ours)
        return self._cache[key]


def _translate(name: str, rules: list[Rule]) -> str | None:
    for pattern, wanted in rules:
        if found := pattern.fullmatch(name):
            return wanted.format(**found.groupdict())
    return None
