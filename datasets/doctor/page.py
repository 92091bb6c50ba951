"""The result of a check as a page with pictures, in one file without anything from the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Any

import cv2
import numpy as np

from foveate.datasets.doctor.collect import view_of
from foveate.datasets.doctor.facts import Facts
from foveate.datasets.doctor.finding import Finding, Place, Severity
from foveate.datasets.doctor.registry import CHECKS
from foveate.datasets.doctor.report import Report, verdict
from foveate.datasets.doctor.view import RGB, View
from foveate.datasets.doctor.wording import several
from foveate.datasets.files.pairs import Pair
from foveate.datasets.labels import IGNORE, INVALID
from foveate.datasets.pages.page import Bar, bars, card, code, folded, paragraph, plain, render_page, section, table
from foveate.datasets.pages.pictures import SIDE, Pictures, gallery, mark, overlay, shrink
from foveate.datasets.threads import in_threads

SHOWN = 3  # pairs of a finding
PATHS = 40  # of a finding; JSON has all
EXAMPLES = 4
CLASSES = 300  # bars of a split
BLANK = np.zeros((1, 1, 3), dtype=np.uint8)


@dataclass(frozen=True)
class Shot:
    """A picture before it is put into the page.

    Attributes:
        image: RGB bytes, small.
        caption: A line below it.
    """

    image: RGB
    caption: str


def render(report: Report, data: Any) -> str:
    """The page.

    Args:
        report: The result.
        data: The data module that was checked; pictures are read through it.
    """
    facts, view, pictures = report.facts, view_of(data), Pictures()
    cards = [_card(finding, facts, view, pictures) for finding in report.findings]
    parts = [
        section("Findings", *(cards or [paragraph("none")])),
        *([section("Lines for the recipe", code("\n".join(one.line for one in report.advice)))] * bool(report.advice)),
        section("Classes", *(_classes(facts, name) for name in facts.splits)),
        section("Examples", gallery(_figures(_examples(facts, view), pictures))),
        section("Checks", table(("check", "severity", "looks for"), _checks(report))),
    ]
    return render_page(f"Check of {facts.root}", _summary(report, pictures), parts)


def _summary(report: Report, pictures: Pictures) -> Iterator[str]:
    facts = report.facts
    counts = ", ".join(f"{name} {len(split.pairs)}" for name, split in facts.splits.items())
    yield f"{counts or 'no files'}; {len(facts.names)} classes; masks: {facts.reads}"
    yield verdict(report).replace(", listed above", "")
    if not facts.complete:
        yield "A sample of the files was looked at."
    if pictures.left_out:
        yield f"{several(pictures.left_out, 'picture', 'pictures')} left out, so that the page stays small."
    yield from facts.notes[:PATHS]


def _card(finding: Finding, facts: Facts, view: View, pictures: Pictures) -> str:
    rest = len(finding.paths) - PATHS
    lines = [str(path) for path in finding.paths[:PATHS]] + ([f"... and {rest} more"] if rest > 0 else [])
    files = folded(several(len(finding.paths), "file", "files"), lines)
    shots = gallery(_figures(_shots(finding, facts, view), pictures))
    return card(str(finding.severity), finding.id, paragraph(finding.message[:2000]), files, shots)


def _figures(shots: Iterator[Shot], pictures: Pictures) -> Iterator[str]:
    return (pictures.figure(shot.image, shot.caption) for shot in shots)


def _shots(finding: Finding, facts: Facts, view: View) -> Iterator[Shot]:
    """Pictures of the first pairs of a finding, each beside its counterpart if there is one."""
    found = finding.found
    places = list(islice(zip_longest(found.places, found.beside), SHOWN))
    values = [*found.values, *([INVALID] if found.side == "mask" else [])]

    def look(pair: tuple[Place, Place | None]) -> list[Shot]:
        place, other = pair
        shots = _pair(facts, place, view, values, drawn=bool(values) or found.drawn)
        return shots + (_pair(facts, other, view, values, drawn=False) if other is not None else [])

    for shots in in_threads(look, places):
        yield from shots


def _pair(facts: Facts, place: Place, view: View, values: Sequence[int], drawn: bool) -> list[Shot]:
    """The image of a pair, and if it is asked for its mask with some values marked."""
    pair = facts.splits[place.split].pairs[place.position]
    image = view.image(pair)
    shots = [] if image is None else [Shot(shrink(image), f"{place.split}: {pair.image.name}")]
    if not drawn or not facts.is_segmentation:
        return shots
    return shots + _mask(facts, pair, view, image, values)


def _mask(facts: Facts, pair: Pair, view: View, image: RGB | None, values: Sequence[int]) -> list[Shot]:
    ids = view.ids(pair)
    if ids is None:
        stored = view.stored_mask(pair)
        return [] if stored is None else [Shot(shrink(stored), f"{pair.label.name}, as stored")]
    small = cv2.resize(ids, _fitting(ids.shape[0], ids.shape[1]), interpolation=cv2.INTER_NEAREST)
    back = np.full((*small.shape, 3), 128, np.uint8) if image is None else _resized(image, small.shape[:2])
    picture = overlay(back, np.asarray(small, np.uint8), _palette(facts))
    marked = np.isin(ids, list(values))
    if marked.any():
        size = small.shape[1], small.shape[0]
        found = cv2.resize(marked.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
        picture = mark(picture, found)
    told = ", marked in pink" if marked.any() else ""
    return [Shot(picture, f"{pair.label.name}{told}")]


def _fitting(height: int, width: int) -> tuple[int, int]:
    factor = min(1.0, SIDE / max(height, width))
    return max(1, round(width * factor)), max(1, round(height * factor))


def _resized(image: RGB, size: tuple[int, ...]) -> RGB:
    return np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _palette(facts: Facts) -> np.ndarray:
    """A colour for each train id; black where ignored."""
    palette = np.zeros((256, 3), dtype=np.uint8)
    if facts.colours:
        palette[: len(facts.colours)] = facts.colours
    return palette


def _examples(facts: Facts, view: View) -> Iterator[Shot]:
    """Some pairs of each split, evenly spread."""
    for name, split in facts.splits.items():
        step = max(1, len(split.pairs) // EXAMPLES)
        for position in range(0, len(split.pairs), step)[:EXAMPLES]:
            yield from _pair(facts, Place(name, position), view, (), drawn=True)[-1:]


def _classes(facts: Facts, split: str) -> str:
    """Bars of the classes of a split."""
    pixels, images = facts.pixels(split), facts.images(split)
    counts = pixels[: len(facts.names)]
    whole, most = max(1, int(counts.sum())), max(1, int(counts.max(initial=1)))
    palette = _palette(facts) if facts.is_segmentation else None
    shown = [
        Bar(
            facts.names[number],
            counts[number] / most,
            f"{100 * counts[number] / whole:.2f} %, {several(int(images[number]), 'image', 'images')}",
            None if palette is None else (int(palette[number][0]), int(palette[number][1]), int(palette[number][2])),
        )
        for number in range(min(len(counts), CLASSES))
    ]
    void = f"; ignored {100 * pixels[IGNORE] / max(1, pixels.sum()):.1f} %" if facts.is_segmentation else ""
    rest = len(counts) - CLASSES
    more = paragraph(f"... and {rest} more classes") if rest > 0 else ""
    heading = f"<h3>{plain(split)}: {several(len(facts.splits[split].samples), 'image', 'images')}{plain(void)}</h3>"
    return heading + bars(shown) + more


def _checks(report: Report) -> Iterator[tuple[str, str, str]]:
    run = set(report.checks)
    for check in CHECKS:
        found = [finding.severity for finding in report.findings if finding.id == check.id]
        result = (
            "not run" if check.id not in run else min(found, key=list(Severity).index) if found else "nothing found"
        )
        yield check.id, str(result), check.summary
