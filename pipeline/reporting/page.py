"""A report as one HTML file without anything from a network."""

from __future__ import annotations

from collections.abc import Sequence

from foveate.datasets.pages.page import paragraph, plain, render_page
from foveate.pipeline.reporting.collect import RunFacts
from foveate.pipeline.reporting.parts import SCRIPT, STYLE, Section
from foveate.pipeline.reporting.plots import NEEDED, is_available
from foveate.pipeline.reporting.sections import all_sections

MORE = "Calibration, errors by distance to a boundary, by size and by row are shown once they were scored: "
COMMAND = "foveate validate --ckpt_path best --model.metrics '[all]'"


def render_report(runs: Sequence[RunFacts]) -> str:
    """The page about some runs.

    Args:
        runs: At least one.
    """
    sections = all_sections(runs)
    links = "".join(f'<li><a href="#{section.anchor}">{plain(section.heading)}</a></li>' for section in sections)
    top = "".join(paragraph(section.summary) for section in sections if section.summary)
    notes = [] if is_available() else [paragraph(f"{NEEDED}.")]
    if not any(run.scored and run.scored[1].tables for run in runs):
        notes.append(f'<p class="soft">{plain(MORE)}<code>{plain(COMMAND)}</code></p>')
    body = [f"<style>{STYLE}</style>", top, f"<nav><ul>{links}</ul></nav>", *notes, *map(_section, sections)]
    body.append(f"<script>{SCRIPT}</script>")
    return render_page(" and ".join(run.name for run in runs), [], body)


def _section(given: Section) -> str:
    return f'<section id="{given.anchor}"><h2>{plain(given.heading)}</h2>{given.body}</section>'
