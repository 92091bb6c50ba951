"""The doubted labels as a page with pictures, in one file without anything from the network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.labels import LabelSet
from foveate.datasets.pages.page import Bar, bars, paragraph, plain, render_page, section, table
from foveate.datasets.pages.pictures import Pictures, gallery
from foveate.datasets.view.page import as_rgb, covered, framed
from foveate.pipeline.doubt.evidence import Evidence
from foveate.pipeline.doubt.looking import maps_at
from foveate.pipeline.doubt.opening import Opened
from foveate.pipeline.doubt.ranking import Doubt, Found
from foveate.pipeline.doubt.regions import Region, around

SIDE = 320  # pixels of a picture's longer side
MARGIN = 0.5  # of a region's larger side: how much of the image is shown around it
LEAST_MARGIN = 24  # pixels
PAIRS = 30  # rows of the table
DISPLACED = "the same, displaced"
KINDS = {
    "class": "the label has another class",
    "missing": "an object is not labelled",
    "shift": "the label is displaced",
    "image": "the label is another class",
}
Open = Callable[[int], Opened]  # number of a network -> the network
Advance = Callable[[int, int], None]


def render_doubts(
    title: str,
    facts: Sequence[str],
    doubts: Sequence[Doubt],
    evidence: Evidence,
    *,
    count: int,
    opened: Open,
    advance: Advance,
) -> str:
    """The page.

    Args:
        title: Its heading.
        facts: Lines below it.
        doubts: All, the most doubtful first.
        evidence: What was counted.
        count: How many are shown with pictures.
        opened: Opens the networks, which predict the images that are shown once more.
        advance: Told the doubts that are drawn.
    """
    shown, pictures = doubts[:count], Pictures()
    labels = opened(0).task.labels if shown else None
    cards = _cards(shown, pictures, opened, advance)
    left_out = paragraph(f"{pictures.left_out} pictures were left out, to keep the page below 5 MB.")
    parts = [
        section(f"The {len(shown)} most doubtful", *([left_out] if pictures.left_out else []), *cards),
        *([section("Pairs of classes", _pairs(doubts, evidence, labels.names))] if labels else []),
        *([section("How sure the network is of each class", _thresholds(evidence, labels))] if labels else []),
    ]
    return render_page(title, facts, parts)


def _cards(doubts: Sequence[Doubt], pictures: Pictures, opened: Open, advance: Advance) -> list[str]:
    """A card for each doubt, in order; drawn network by network, since not all may fit into memory."""
    order = sorted(range(len(doubts)), key=lambda place: (doubts[place].found.source, place))
    cards = [""] * len(doubts)
    for done, place in enumerate(order, start=1):
        doubt = doubts[place]
        cards[place] = _card(place + 1, doubt, pictures, opened(doubt.found.source))
        advance(done, len(doubts))
    return cards


def _card(number: int, doubt: Doubt, pictures: Pictures, opened: Opened) -> str:
    region, names = doubt.found.region, opened.task.labels.names
    what = f"{names[region.labelled]}, predicted {names[region.predicted]}"
    if region.kind == "shift":
        what = names[region.labelled]
    heading = f"<h3>{number}. labelled {plain(what)}</h3>"
    figures = gallery(_figures(doubt.found, pictures, opened))
    lines = "<br>".join(map(plain, _lines(doubt)))
    return f'<div class="card">{heading}{figures}<p class="soft">{lines}</p></div>'


def _lines(doubt: Doubt) -> Iterator[str]:
    region = doubt.found.region
    yield (
        f"{KINDS[region.kind]}: score {doubt.score:.2f}; probability of the prediction {region.confidence:.2f}, "
        f"of the label {region.label_confidence:.2f}"
    )
    if region.kind != "image":
        x0, y0, x1, y1 = region.box
        yield f"{region.area} pixels in columns {x0} to {x1 - 1}, rows {y0} to {y1 - 1}"
    yield doubt.found.image


def _figures(found: Found, pictures: Pictures, opened: Opened) -> Iterator[str]:
    if not opened.segments:
        image = opened.dataset[found.index]["image"].permute(1, 2, 0).numpy()
        yield pictures.figure(as_rgb(np.ascontiguousarray(image)), "the image", SIDE)
        return
    labels = opened.task.labels
    assert isinstance(labels, LabelSet)
    image = as_rgb(np.ascontiguousarray(opened.dataset[found.index]["image"].permute(1, 2, 0).numpy()))
    maps = maps_at(opened, found.index)
    window = around(found.region.box, _margin(found.region), maps.label.shape)
    crop, part = image[window], maps.cut(window)
    box = _inside(found.region, window)
    for mask, caption in ((None, "image"), (part.label, "label"), (part.predicted, "prediction")):
        picture = crop if mask is None else covered(crop, mask.astype(np.uint8), labels)
        yield pictures.figure(framed(_enlarged(picture), box), caption, SIDE)


def _margin(region: Region) -> int:
    x0, y0, x1, y1 = region.box
    return max(LEAST_MARGIN, round(MARGIN * max(x1 - x0, y1 - y0)))


def _inside(region: Region, window: tuple[slice, slice]) -> tuple[float, float, float, float]:
    """The box of a region as shares of a window: top, left, bottom, right."""
    (rows, columns), (x0, y0, x1, y1) = window, region.box
    height, width = rows.stop - rows.start, columns.stop - columns.start
    top, bottom = ((y - rows.start) / height for y in (y0, y1))
    left, right = ((x - columns.start) / width for x in (x0, x1))
    return top, left, bottom, right


def _enlarged(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A small picture with each pixel as a square, so that a frame does not hide it."""
    factor = max(1, SIDE // max(picture.shape[:2]))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def _pairs(doubts: Sequence[Doubt], evidence: Evidence, names: Sequence[str]) -> str:
    """A table of what is doubted most often."""
    counts = Counter((doubt.found.region.labelled, doubt.found.region.predicted) for doubt in doubts)
    sizes: Counter[tuple[int, int]] = Counter()
    for doubt in doubts:
        sizes[doubt.found.region.labelled, doubt.found.region.predicted] += doubt.found.region.area
    of_label = evidence.confusion.sum(axis=1)
    rows = [
        (names[i], names[j] if i != j else DISPLACED, number, sizes[i, j], _share(sizes[i, j], int(of_label[i])))
        for (i, j), number in counts.most_common(PAIRS)
    ]
    return table(("labelled", "predicted", "doubts", "size", "% of label"), rows)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / max(1, whole):.2f}"


def _thresholds(evidence: Evidence, labels: object) -> str:
    """A bar for each class."""
    names: Sequence[str] = labels.names  # type: ignore[attr-defined]
    colours = labels.colours if isinstance(labels, LabelSet) else [None] * len(names)
    text = (
        "The mean probability that the network gives a class where it is the label. A region is doubted if the mean "
        "probability of its prediction is at least half of that."
    )
    thresholds = evidence.thresholds().tolist()
    items = [
        Bar(name, share, f"{share:.2f}", colour) for name, share, colour in zip(names, thresholds, colours, strict=True)
    ]
    return paragraph(text) + bars(items)
