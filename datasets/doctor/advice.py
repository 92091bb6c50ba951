"""Lines of a recipe that the data asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from foveate.datasets.doctor.facts import Facts
from foveate.datasets.doctor.finding import Finding
from foveate.datasets.doctor.wording import percent

CELL = 32  # pixels; sides of crops are multiples of it, as encoders divide them
RARE = 50  # times that the most frequent class may be more frequent than the rarest


@dataclass(frozen=True)
class Advice:
    """One line of a recipe.

    Attributes:
        key: Such as data.crop.
        value: As YAML.
        why: The reason.
    """

    key: str
    value: str
    why: str

    @property
    def line(self) -> str:
        """The line, with its reason as a comment."""
        return f"{self.key}: {self.value}  # {self.why}"


def advise(facts: Facts, findings: Sequence[Finding]) -> list[Advice]:
    """Lines of a recipe that follow from what was found.

    Args:
        facts: What was read.
        findings: What checks found.
    """
    return [*_crop(findings), *_batch(findings), *_range(facts), *_weights(facts)]


def _crop(findings: Sequence[Finding]) -> Iterator[Advice]:
    for finding in findings:
        if finding.id == "sizes.small":
            sides = [max(CELL, int(str(finding.numbers[name])) // CELL * CELL) for name in ("height", "width")]
            yield Advice("data.crop", str(sides), "fits into nearly every train image")


def _batch(findings: Sequence[Finding]) -> Iterator[Advice]:
    if any(finding.id == "sizes.batch" for finding in findings):
        yield Advice("data.eval_batch_size", "1", "images of several sizes")


def _range(facts: Facts) -> Iterator[Advice]:
    if facts.range is not None and facts.range_is_found:
        low, high = facts.range
        yield Advice("data.range", f"[{low:.6g}, {high:.6g}]", "the values of images that become 0 and 255, as found")


def _weights(facts: Facts) -> Iterator[Advice]:
    if "train" not in facts.splits:
        return
    pixels = facts.pixels("train")[: len(facts.names)]
    present = pixels[pixels > 0]
    if len(present) > 1 and present.max() > RARE * present.min():
        rarest = facts.names[int((pixels + (pixels == 0) * pixels.sum()).argmin())]
        share = percent(float(present.min() / present.sum()))
        yield Advice("model.loss.class_weights", "auto", f"{rarest} has {share} of what is labelled")
