"""The report of a comparison as files: Markdown, CSV, and a self-contained HTML page."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from foveate.pipeline.comparison.plots import draw
from foveate.pipeline.comparison.table import Row, as_latex, as_markdown, headings, lines_of, write_csv
from foveate.pipeline.files import write_text

NOTES = (
    "Times are medians over runs on training batches; the blocks run in turn. Ratios are medians of the ratio to the "
    "first row in the same round.",
    "Memory is the peak memory of training steps, without the network itself.",
    "Receptive field: the theoretical receptive field of the encoder's last feature. Effective receptive field: the "
    "side of a square with the area of those pixels whose influence on that feature is at least 4.55 % of the largest.",
    "The 95 % interval is a bootstrap over the validation images; the mean over seeds is recomputed for each draw. For "
    "the gain over the first row the same images are drawn for both. It does not cover the variation between seeds, "
    "whose range is in the column `seeds`.",
)
STYLE = """
:root { color-scheme: light dark; --text: #222; --back: #fff; --soft: #555; --line: #ddd; --bad: #a00; --head: #f4f4f4 }
@media (prefers-color-scheme: dark) {
  :root { --text: #ddd; --back: #16181c; --soft: #aaa; --line: #3a3d44; --bad: #ff8a80; --head: #22252b }
  img { background: #fff; border-radius: 4px }
}
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem auto; max-width: 75rem; padding: 0 1rem;
  color: var(--text); background: var(--back) }
h1 { font-size: 1.5rem; line-height: 1.25 } h2 { margin-top: 2rem; font-size: 1.1rem }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 4px } img { max-width: 100%; height: auto }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .55rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
th { background: var(--head) } tr:last-child td { border-bottom: 0 }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--back) }
th:first-child { background: var(--head) }
.notes { color: var(--soft); font-size: 13px; padding-left: 1.2rem }
.fault { color: var(--bad); white-space: normal; text-align: left; min-width: 16rem }
@media (max-width: 600px) {
  table { font-size: 13px } th, td { padding: .25rem .4rem }
  td:first-child { white-space: normal; overflow-wrap: anywhere; max-width: 8rem }
}
"""
VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1">'


def write_report(
    out: Path, title: str, facts: Sequence[str], rows: Sequence[Row], score: str, found: Sequence[str] = ()
) -> list[Path]:
    """Write comparison.md, comparison.csv, comparison.tex and comparison.html.

    Args:
        out: Folder.
        title: Title of the page.
        facts: Settings that all blocks share: recipe, steps, machine.
        rows: The blocks; the first one is the baseline.
        score: `mIoU` or `accuracy`.
        found: What is known of the blocks, in words.
    """
    files = [out / f"comparison.{ending}" for ending in ("md", "csv", "tex", "html")]
    told = [*(f"- {line}" for line in found), ""] if found else []
    notes = (f"* {note}" for note in NOTES)
    lines = [f"# {title}", "", *facts, "", *told, as_markdown(rows, score), "", *notes, ""]
    write_text(files[0], "\n".join(lines))
    write_csv(files[1], rows, score)
    write_text(files[2], as_latex(rows, score))
    write_text(files[3], _page(title, facts, rows, score, found))
    return files


def _page(title: str, facts: Sequence[str], rows: Sequence[Row], score: str, found: Sequence[str]) -> str:
    head = "".join(f"<th>{html.escape(text)}</th>" for text in headings(score, rows))
    body = "".join(_line(row, texts) for row, texts in zip(rows, lines_of(rows, score), strict=True))
    pictures = "".join(f"<h2>{html.escape(text)}</h2>{picture}" for text, picture in draw(rows, score))
    missing = "" if pictures else "<p>Plots need matplotlib: pip install 'foveate[plots]'.</p>"
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in NOTES)
    said = "".join(f"<p>{html.escape(fact)}</p>" for fact in facts)
    said += f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in found)}</ul>" if found else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">{VIEWPORT}<title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style><h1>{html.escape(title)}</h1>{said}"
        f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>{pictures}{missing}'
        f'<ul class="notes">{notes}</ul></html>\n'
    )


def _line(row: Row, given: Sequence[str]) -> str:
    texts = [html.escape(text) for text in given]  # in the order of the headings
    if row.fault and not row.cells:
        cell = f'<td colspan="{len(texts) - 1}" class="fault">{html.escape(row.fault)}</td>'
        return f"<tr><td>{texts[0]}</td>{cell}</tr>"
    return "<tr>" + "".join(f"<td>{text}</td>" for text in texts) + "</tr>"
