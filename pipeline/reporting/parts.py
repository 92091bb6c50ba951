"""The building blocks of a report: sections with a plot and its data, heat maps, pictures to compare."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import cv2
import numpy as np

from foveate.datasets.pages.page import paragraph, plain, table
from foveate.datasets.pages.pictures import encode
from foveate.pipeline.callbacks.extremes import SIDE, Extreme

STYLE = """
nav ul { columns: 16rem; padding-left: 1.2rem; margin: .5rem 0 }
a { color: var(--info) }
h2 { scroll-margin-top: 1rem; border-top: 1px solid var(--line); padding-top: 1.2rem }
.plot { overflow-x: auto } svg { width: 100%; height: auto; display: block; margin: .6rem 0 }
details { margin: .5rem 0 } summary { cursor: pointer }
.heat td { text-align: center; padding: .15rem .3rem; font-size: 12px; border: 0; min-width: 2.1rem }
.heat th { font-weight: normal; font-size: 12px }
.heat th.up { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; padding: .3rem .1rem }
.compare { width: 480px; max-width: 100% }
.compare div { position: relative; line-height: 0 }
.compare img { width: 100%; border-radius: 3px }
.compare img + img { position: absolute; inset: 0; clip-path: inset(0 0 0 var(--at, 50%)) }
.compare input[type=range] { width: 100%; margin: .4rem 0 0 }
.compare label { font-size: 13px; margin-right: .8rem }
.legend span { display: inline-block; margin-right: .9rem; font-size: 13px }
.legend b { display: inline-block; width: .75rem; height: .75rem; border-radius: 2px; margin-right: .35rem;
  vertical-align: -1px; border: 1px solid var(--line) }
@media print { nav, .compare input, .compare label { display: none } h2 { break-after: avoid } }
"""
SCRIPT = """
document.querySelectorAll('.compare').forEach(function (box) {
  var above = box.querySelector('img + img');
  box.querySelector('input[type=range]').addEventListener('input', function (event) {
    box.style.setProperty('--at', event.target.value + '%');
  });
  box.querySelectorAll('input[type=radio]').forEach(function (button) {
    button.addEventListener('change', function () { above.src = box.querySelector('template.' + button.value)
      .content.firstElementChild.src; });
  });
});
"""
NUMBERS = count()
Colours = Sequence[tuple[str, tuple[int, int, int]]]
Cell = str | int | float | None


@dataclass(frozen=True)
class Section:
    """One section of a report.

    Attributes:
        heading: Its title.
        body: HTML.
        summary: One line for the top of the page; empty for none.
    """

    heading: str
    body: str
    summary: str = ""

    @property
    def anchor(self) -> str:
        """Where links to it lead."""
        return "".join(letter if letter.isalnum() else "-" for letter in self.heading.lower())


def with_data(text: str, plot: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], name: str) -> str:
    """What a plot shows, the plot, and its data: a table to unfold and to save.

    Args:
        text: What is to be seen.
        plot: HTML; empty where no plot could be drawn.
        columns: Names of the columns of the data.
        rows: The data.
        name: Of the file that is saved, without its ending.
    """
    out = io.StringIO()
    for row in (columns, *rows):
        out.write("\t".join("" if cell is None else str(cell) for cell in row) + "\n")
    address = f"data:text/tab-separated-values;base64,{base64.b64encode(out.getvalue().encode()).decode()}"
    link = f'<p><a download="{plain(name)}.tsv" href="{address}">save as {plain(name)}.tsv</a></p>'
    shown = table(columns, [[_shown(cell) for cell in row] for row in rows])
    data = f"<details{'' if plot else ' open'}><summary>data</summary>{link}{shown}</details>"
    return paragraph(text) + plot + data


def _shown(cell: Cell) -> str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return "-"
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:.4g}" if isinstance(cell, float) else cell


def heat_map(names: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """A confusion matrix: each row in percent of its sum; pointing at a cell shows the count.

    Args:
        names: Of the classes.
        counts: Labels in rows, predictions in columns.
    """
    head = "".join(f'<th class="up">{plain(name)}</th>' for name in names)
    rows = "".join(_heat_row(name, row, names) for name, row in zip(names, counts, strict=True))
    return f'<div class="wide heat"><table><tr><th>label</th>{head}</tr>{rows}</table></div>'


def _heat_row(name: str, row: Sequence[int], names: Sequence[str]) -> str:
    total = sum(row)
    cells = []
    for other, number in zip(names, row, strict=True):
        share = number / total if total else 0.0
        colour = "--bar" if other == name else "--error"
        back = f"color-mix(in srgb, var({colour}) {100 * share**0.5:.0f}%, transparent)"
        text = f"{100 * share:.0f}" if share >= 0.005 else ""
        title = f"{name}, predicted {other}: {number:,}"
        cells.append(f'<td style="background: {back}" title="{plain(title)}">{text}</td>')
    return f"<tr><td>{plain(name)}</td>{''.join(cells)}</tr>"


def compare_pictures(extreme: Extreme, colours: Colours, caption: str) -> str:
    """Image, label and prediction of one image, with a slider between the image and one of the others.

    Args:
        extreme: The image.
        colours: Name and colour of each class.
        caption: A line below.
    """
    number = next(NUMBERS)
    label, prediction = (_coloured(address, colours) for address in (extreme.label, extreme.prediction))
    choices = "".join(
        f'<label><input type="radio" name="over{number}" value="{name}"{" checked" if name == "prediction" else ""}> '
        f"{name}</label>"
        for name in ("prediction", "label")
    )
    hidden = "".join(
        f'<template class="{name}"><img src="{address}" alt=""></template>'
        for name, address in (("prediction", prediction), ("label", label))
    )
    text = plain(caption)
    images = f'<img src="{extreme.image}" alt="{text}"><img src="{prediction}" alt="prediction">'
    return (
        f'<figure class="compare"><div>{images}</div>{hidden}'
        f'<input type="range" min="0" max="100" value="50" aria-label="image to the left of it">'
        f"{choices}<figcaption>{text}</figcaption></figure>"
    )


def _coloured(address: str, colours: Colours) -> str:
    coded = np.frombuffer(base64.b64decode(address.partition(",")[2]), dtype=np.uint8)
    ids = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)
    assert ids is not None
    palette = np.zeros((256, 3), dtype=np.uint8)
    palette[: len(colours)] = [colour for _, colour in colours]
    return encode(np.ascontiguousarray(palette[np.asarray(ids)]), SIDE)


def legend(colours: Colours) -> str:
    """The colours of classes.

    Args:
        colours: Name and colour of each class.
    """
    spans = "".join(f'<span><b style="background: rgb{colour}"></b>{plain(name)}</span>' for name, colour in colours)
    return f'<p class="legend">{spans}</p>'
