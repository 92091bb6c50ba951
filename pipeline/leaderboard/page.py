"""The leaderboard as one offline page: tables that sort by a click or a key, accuracy against cost, each class."""

from __future__ import annotations

import math
from collections.abc import Sequence

from foveate.datasets.pages.page import paragraph, plain, render_page
from foveate.pipeline.leaderboard.columns import Cell, cells_of, headings
from foveate.pipeline.leaderboard.protocol import Protocol
from foveate.pipeline.leaderboard.standings import DETECT, Standing, Table
from foveate.pipeline.leaderboard.wording import COLUMNS, describe_track, state_of, what_it_shows
from foveate.pipeline.reporting.plots import NEEDED, draw_scatter, is_available

COSTS = {
    "MACs of the network, in millions": ("macs", 1e-6),
    "processor time of a step, relative to none": ("step_ratio", 1.0),
}
SHADED = "shaded"  # tables whose cells are the darker the larger their value
FAINT = 0.05  # largest value of a column, in [0, 1], from which its largest cell is darkest
STYLE = """
a { color: var(--info) } nav a { margin-right: 1rem }
h2 { scroll-margin-top: 1rem; border-top: 1px solid var(--line); padding-top: 1.2rem }
.plot { overflow-x: auto } svg { width: 100%; height: auto; display: block; margin: .6rem 0 }
th button { font: inherit; font-weight: bold; color: inherit; background: none; border: 0; padding: 0; cursor: pointer;
  white-space: nowrap }
th button:focus-visible { outline: 2px solid var(--info); outline-offset: 2px }
th[aria-sort=ascending] button::after { content: " \\2191" } 
th[aria-sort=descending] button::after { content: " \\2193" }
td:first-child, th:first-child { position: sticky; left: 0; background: var(--back) }
th:first-child { background: var(--head) }
.shaded td:not(:first-child) { font-size: 13px }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem }
@media print { nav { display: none } }
"""
SCRIPT = """
document.querySelectorAll('table.sortable').forEach(function (table) {
  var heads = table.querySelectorAll('th');
  heads.forEach(function (head, column) {
    head.querySelector('button').addEventListener('click', function () {
      var down = head.getAttribute('aria-sort') !== 'descending';
      heads.forEach(function (other) { other.removeAttribute('aria-sort'); });
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      var rows = Array.from(table.tBodies[0].rows);
      rows.sort(function (a, b) {
        var x = a.cells[column].dataset.value, y = b.cells[column].dataset.value;
        if (x === undefined) {
          return (down ? 1 : -1) * a.cells[column].textContent.localeCompare(b.cells[column].textContent);
        }
        if (x === '' || y === '') { return (x === '') - (y === ''); }
        return (down ? -1 : 1) * (Number(x) - Number(y));
      });
      rows.forEach(function (row) { table.tBodies[0].appendChild(row); });
    });
  });
});
"""


def render_leaderboard(protocol: Protocol, tables: Sequence[Table]) -> str:
    """The page.

    Args:
        protocol: The protocol.
        tables: Its tables.
    """
    links = "".join(f'<a href="#{plain(t.name)}">{plain(t.name)}</a>' for t in tables)
    notes = "".join(f"<li>{plain(line)}</li>" for line in COLUMNS)
    hint = "" if is_available() else paragraph(f"{NEEDED}.")
    body = [f"<style>{STYLE}</style><nav>{links}</nav>", hint, *(_section(table) for table in tables)]
    body.append(f"<h2>What the columns say</h2><ul>{notes}</ul>")
    body.append(f"<h2>What this can show</h2>{paragraph(' '.join(what_it_shows(protocol, DETECT)))}")
    body.append(f"<script>{SCRIPT}</script>")
    return render_page("The leaderboard", [state_of(protocol, tables)], body)


def _section(table: Table) -> str:
    name = plain(table.name)
    told = paragraph(describe_track(table.track).replace("`", ""))
    head = f'<section id="{name}"><h2>{name}</h2>{told}'
    missing = f'<p class="soft">Missing: {plain("; ".join(table.missing))}.</p>' if table.missing else ""
    if not table.standings:
        return f"{head}{paragraph('No records yet.')}{missing}</section>"
    rows = [cells_of(one, table) for one in table.standings]
    plots = "".join(_plot(table, xlabel, *cost) for xlabel, cost in COSTS.items())
    classes = sortable(["block", *table.classes], [_classes(one, table) for one in table.standings], SHADED)
    return (
        f"{head}{sortable(headings(table), rows)}{missing}"
        f'<h3>{plain(table.track.score)} against cost</h3><div class="plots">{plots}</div>'
        f"<h3>Each class, in %</h3>{classes}</section>"
    )


def sortable(names: Sequence[str], rows: Sequence[Sequence[Cell]], kind: str = "") -> str:
    """A table whose headings are buttons that sort it.

    Args:
        names: Of the columns.
        rows: The cells.
        kind: `shaded` makes cells the darker the larger they are; else empty.
    """
    head = "".join(f'<th scope="col"><button type="button">{plain(name)}</button></th>' for name in names)
    most = [
        max((cell.value for cell in column if cell.value == cell.value), default=0.0)
        for column in zip(*rows, strict=True)
    ]
    shades = [max(one, FAINT) for one in most] if kind == SHADED else [0.0] * len(names)
    body = "".join(f"<tr>{''.join(map(_cell, row, shades, range(len(row))))}</tr>" for row in rows)
    table = f'<table class="sortable {kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="wide">{table}</div>'


def _cell(cell: Cell, most: float, number: int) -> str:
    """A cell; with a largest value of its column, the darker the nearer it is to it."""
    value = "" if math.isnan(cell.value) else "1e999" if math.isinf(cell.value) else f"{cell.value:.8g}"
    data = f' data-value="{value}"' if number else ""
    share = 55 * max(0.0, cell.value) / most if most > 0 and value else 0
    look = f' style="background: color-mix(in srgb, var(--bar) {share:.0f}%, transparent)"' if share else ""
    return f"<td{data}{look}>{plain(cell.text)}</td>"


def _classes(one: Standing, table: Table) -> list[Cell]:
    values = [one.mean_of_class(name) for name in table.classes]
    return [Cell(one.label), *(Cell("-" if math.isnan(v) else f"{100 * v:.1f}", v) for v in values)]


def _plot(table: Table, xlabel: str, cost: str, factor: float) -> str:
    """Gains against a cost, since scores may be of other seeds from block to block; scores where no gain is known."""
    gains = {one.label: one.gain for one in table.standings}
    known = any(one.baseline is not None for one in table.standings)
    values = gains if known else {one.label: one.mean for one in table.standings}
    points = {
        one.label: (factor * float(one.cost(cost)), 100 * value)
        for one in table.standings
        if (value := values[one.label]) is not None
    }
    score = table.track.score
    return draw_scatter(points, xlabel, f"gain over none, points of {score}" if known else f"{score} %")
