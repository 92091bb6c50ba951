"""The result of a check as text, and as JSON for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from foveate.datasets.doctor.advice import Advice
from foveate.datasets.doctor.facts import Facts
from foveate.datasets.doctor.finding import Finding, Severity
from foveate.datasets.doctor.wording import printable, several
from foveate.datasets.labels import IGNORE
from foveate.datasets.text import few

SCHEMA = 1  # of the JSON; a key that is added leaves it, any other change raises it
SHOWN = 5  # paths of a finding in print
CLASSES = 1000  # class shares in a line


@dataclass(frozen=True)
class Report:
    """What a check of a data set gave.

    Attributes:
        facts: What was read.
        findings: What checks found, the worst first.
        checks: Ids of the checks that were run.
        advice: Lines of a recipe.
    """

    facts: Facts
    findings: Sequence[Finding]
    checks: Sequence[str]
    advice: Sequence[Advice]

    def count(self, severity: Severity) -> int:
        """How many findings are so bad."""
        return sum(finding.severity == severity for finding in self.findings)


def text_lines(report: Report, whole: str = "--json FILE") -> Iterator[str]:
    """The findings, class frequencies and lines of a recipe in print.

    Args:
        report: The result.
        whole: Where all files of a finding are listed.
    """
    for finding in report.findings:
        yield printable(f"{finding.severity}: {finding.message} [{finding.id}]")
        yield from _paths(finding, whole)
    yield from (printable(frequencies(report.facts, name)) for name in report.facts.splits)
    if report.advice:
        yield "lines for the recipe:"
        yield from (f"    {advice.line}" for advice in report.advice)


def all_paths(report: Report) -> Iterator[str]:
    """A line for each file of each finding.

    Args:
        report: The result.
    """
    for finding in report.findings:
        yield from (f"{finding.id}\t{printable(path)}" for path in finding.paths)


def is_cut(finding: Finding) -> bool:
    """Whether print shows only the first of its files.

    Args:
        finding: The finding.
    """
    return finding.severity != Severity.INFO and len(finding.paths) > SHOWN


def _paths(finding: Finding, whole: str) -> Iterator[str]:
    """The first files of what should not be; the message names the first already."""
    if finding.severity == Severity.INFO or len(finding.paths) < 2:
        return
    yield from (f"    {printable(path)}" for path in finding.paths[:SHOWN])
    if is_cut(finding):
        yield f"    ... and {len(finding.paths) - SHOWN} more (all in {whole})"


def verdict(report: Report) -> str:
    """How many findings of each severity, in words."""
    errors, warnings = report.count(Severity.ERROR), report.count(Severity.WARNING)
    told = several(warnings, "warning", "warnings")
    if errors:
        also = f" and {told}" if warnings else ""
        return f"{several(errors, 'fault', 'faults')}{also}, listed above"
    return f"no fault found; {told}, listed above" if warnings else "no fault found"


def frequencies(facts: Facts, split: str) -> str:
    """How often each class occurs in a split: its share of the labelled pixels, or its images.

    Args:
        facts: What was read.
        split: Its name.
    """
    pixels = facts.pixels(split)
    counts = pixels[: len(facts.names)]
    if not facts.is_segmentation:
        shown = few(f"{name} {count}" for name, count in zip(facts.names, counts, strict=True))
        return f"{split}: {counts.sum()} images of {int((counts > 0).sum())} classes; {shown}"
    whole = max(1, int(counts.sum()))
    shares = [f"{name} {100 * count / whole:.2f} %" for name, count in zip(facts.names, counts, strict=True)]
    void = 100 * pixels[IGNORE] / max(1, pixels.sum())
    looked = len(facts.splits[split].samples)
    part = "" if facts.complete else f" (of a sample of {several(looked, 'pair', 'pairs')})"
    return f"{split}{part}: {few(shares, CLASSES)}; ignored {void:.1f} % of all pixels"


def as_json(report: Report) -> dict[str, Any]:
    """The result for programs; `schema` says which keys there are.

    Args:
        report: The result.
    """
    facts = report.facts
    return {
        "schema": SCHEMA,
        "root": facts.root,
        "masks": facts.reads,
        "classes": list(facts.names),
        "complete": facts.complete,
        "checks": list(report.checks),
        "severities": dict(Counter(str(finding.severity) for finding in report.findings)),
        "findings": [_finding(finding) for finding in report.findings],
        "splits": {name: _split(facts, name) for name in facts.splits},
        "recipe": {advice.key: advice.value for advice in report.advice},
        "notes": list(facts.notes),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "severity": str(finding.severity),
        "message": finding.message,
        "count": finding.count,
        "paths": list(finding.paths),
        "numbers": dict(finding.numbers),
    }


def _split(facts: Facts, name: str) -> dict[str, Any]:
    pixels, images = facts.pixels(name), facts.images(name)
    unit = "pixels" if facts.is_segmentation else "images"
    by_class = {label: int(pixels[number]) for number, label in enumerate(facts.names)}
    found: dict[str, Any] = {"pairs": len(facts.splits[name].pairs), "looked_at": len(facts.splits[name].samples)}
    found[unit] = by_class
    if facts.is_segmentation:
        found["images"] = {label: int(images[number]) for number, label in enumerate(facts.names)}
        found["ignored"] = int(pixels[IGNORE])
    return found
