"""Rules for data sets. `foveate plugins check NAME --root DIR` tries them, and so can tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as L

from foveate.datasets.conformance.rule import DataResult, DataRule, try_rule
from foveate.datasets.conformance.rules import RULES
from foveate.datasets.conformance.subject import Subject

__all__ = ["RULES", "DataResult", "DataRule", "assert_conforms", "check_data_set"]


def check_data_set(
    kind: type[L.LightningDataModule],
    *,
    root: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    rules: Sequence[DataRule] = RULES,
) -> list[DataResult]:
    """Try the rules on a data set.

    Args:
        kind: Its class.
        root: Its folder; without it, the rules that read data are skipped.
        options: Options of the class, as in a recipe.
        rules: The rules to try.

    Returns:
        One result for each rule.

    Example:
        >>> from foveate.datasets.digits import DigitsDataModule
        >>> sorted({result.outcome for result in check_data_set(DigitsDataModule)})
        ['passed', 'skipped']
    """
    subject = Subject(kind, None if root is None else Path(root).expanduser(), dict(options or {}))
    return [try_rule(rule, subject) for rule in rules]


def assert_conforms(
    kind: type[L.LightningDataModule],
    *,
    root: str | Path | None = None,
    rules: Sequence[DataRule] = RULES,
    **options: Any,
) -> None:
    """Assert that a data set keeps the rules; the message has a line for each broken rule. For use in tests.

    Args:
        kind: Its class.
        root: Its folder.
        rules: The rules to try; parametrise a test over RULES to see each of them separately.
        **options: Options of the class, as in a recipe.
    """
    results = check_data_set(kind, root=root, options=options, rules=rules)
    broken = [result.describe() for result in results if result.outcome == "failed"]
    assert not broken, "\n".join(broken)
