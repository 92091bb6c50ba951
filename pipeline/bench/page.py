"""Results of `foveate bench` as a Markdown table, as JSON, and as a bar chart."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from foveate.pipeline.bench.measures import STEP, Conditions, Measures
from foveate.pipeline.files import write_text
from foveate.pipeline.measuring.modules import Shares
from foveate.pipeline.text import markdown_table

SHOWN = 12
HEADINGS = ("engine", "latency ms", "quartiles", "images/s", "share of peak", "peak memory MB")


def rows_of(measures: Measures, conditions: Conditions) -> list[tuple[str, ...]]:
    """One row per engine, in the order of `HEADINGS`."""
    rows: list[tuple[str, ...]] = []
    for name, latency in measures.latencies.items():
        low, high = latency.quartiles
        work = conditions.batch_size * measures.macs * (3 if name == STEP else 1)  # backward: twice the forward
        memory = measures.memory.get(name)
        rows.append(
            (
                name,
                f"{1e3 * latency.median:.1f}",
                f"{1e3 * low:.1f}-{1e3 * high:.1f}",
                f"{conditions.batch_size / latency.median:.2f}",
                f"{100 * work / latency.median / measures.peak:.1f} %",
                "?" if memory is None else f"{memory / 1e6:.0f}",
            )
        )
    return rows


def text_of(title: str, measures: Measures, conditions: Conditions) -> str:
    """The results as Markdown."""
    height, width = conditions.size
    lines = [
        f"# {title} at {height} x {width}",
        "",
        f"{measures.parameters:,} parameters, {measures.macs / 1e9:.2f} GMACs per image; "
        f"batch {conditions.batch_size}, {conditions.precision}, {conditions.threads} threads; a large matrix product "
        f"reaches {measures.peak / 1e9:.0f} GMAC/s here.",
        "",
        *markdown_table(HEADINGS, rows_of(measures, conditions), padded=True),
        "",
        *[f"{name} left out: {reason}" for name, reason in measures.left_out.items()],
        "",
        f"Profile of the {_profiled(measures)} network in PyTorch, as shares of the time:",
        "",
        *markdown_table(("part", "share"), _shares(measures.places), padded=True),
        "",
        *markdown_table(("class of module", "share"), _shares(measures.kinds), padded=True),
    ]
    return "\n".join(lines) + "\n"


def _profiled(measures: Measures) -> str:
    return "plain" if measures.profiled == "torch" else "folded"


def _shares(shares: Shares) -> list[tuple[str, str]]:
    return [(name, f"{100 * share:.1f} %") for name, share in list(shares.items())[:SHOWN]]


def write_page(out: Path, text: str, measures: Measures, conditions: Conditions) -> list[Path]:
    """Write bench.md and bench.json, and bench.png where matplotlib is installed."""
    out.mkdir(parents=True, exist_ok=True)
    page, figures = out / "bench.md", out / "bench.json"
    write_text(page, text)
    write_text(figures, json.dumps(as_json(measures, conditions), indent=2) + "\n")
    return [page, figures, *_draw(out / "bench.png", measures)]


def as_json(measures: Measures, conditions: Conditions) -> dict[str, Any]:
    """What bench.json holds: times in s, memory in bytes, MACs of an image, shares of the time in [0, 1]."""
    return {"conditions": asdict(conditions), "measures": asdict(measures)}


def _draw(path: Path, measures: Measures) -> list[Path]:
    try:
        import matplotlib  # late, and an extra
    except ImportError:
        return []
    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    shares = dict(list(measures.places.items())[:SHOWN])
    figure = Figure(figsize=(7, 1 + 0.3 * len(shares)), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(list(shares), [100 * share for share in shares.values()], color="tab:blue")
    axes.invert_yaxis()
    axes.set_xlabel("share of the time, %")
    axes.set_title(f"Profile of the {_profiled(measures)} network", fontsize=11)
    figure.savefig(path, dpi=120)
    return [path]
