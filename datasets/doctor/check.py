"""A check: a small pure function over facts, with a name; and the choice of some of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from foveate.datasets.doctor.facts import Facts
from foveate.datasets.doctor.finding import Finding, Found, Severity
from foveate.datasets.errors import DataConfigError
from foveate.datasets.text import near

ORDER = (Severity.ERROR, Severity.WARNING, Severity.INFO)


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check.

    Attributes:
        id: `family.name`.
        severity: How bad its findings are, unless they say otherwise.
        summary: What it looks for.
        run: From facts to findings.
        cheap: Whether it runs before each training too, on a sample of the files.
        images: Whether it looks at decoded images, which `--fast` does not.
    """

    id: str
    severity: Severity
    summary: str
    run: Callable[[Facts], Iterable[Found]]
    cheap: bool = False
    images: bool = False

    @property
    def family(self) -> str:
        """The part of the id before the point."""
        return self.id.partition(".")[0]


def run_checks(checks: Iterable[Check], facts: Facts) -> list[Finding]:
    """What checks find, the worst first.

    Args:
        checks: The checks.
        facts: What was read.
    """
    findings = [_named(check, found, facts) for check in checks for found in check.run(facts)]
    return sorted(findings, key=lambda finding: ORDER.index(finding.severity))


def _named(check: Check, found: Found, facts: Facts) -> Finding:
    paths = [*found.paths, *(facts.path(place, found.side) for place in found.places)]
    return Finding(
        id=check.id,
        severity=found.severity or check.severity,
        message=found.message,
        count=len(paths) if found.count is None else found.count,
        paths=paths,
        numbers=found.numbers,
        found=found,
    )


def choose(checks: Sequence[Check], only: Iterable[str] = (), skip: Iterable[str] = ()) -> list[Check]:
    """The checks that are asked for.

    Args:
        checks: All checks.
        only: Ids or families; all if there are none.
        skip: Ids or families.

    Raises:
        DataConfigError: A name is neither an id nor a family; the message lists what there is.
    """
    only, skip = list(only), list(skip)
    known = sorted({check.family for check in checks}) + [check.id for check in checks]
    for option, names in (("--only", only), ("--skip", skip)):
        for name in names:
            if name not in known:
                raise DataConfigError(
                    f"{option}: no check {name!r}{near(name, known)} (families and checks: {', '.join(known)})"
                )
    return [check for check in checks if (not only or _is_in(check, only)) and not _is_in(check, skip)]


def _is_in(check: Check, names: Sequence[str]) -> bool:
    return check.id in names or check.family in names
