"""A page for every attention block: what it computes, its options, its costs, and how far it sees."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from foveate.docs.site.text import contents, heading, table
from foveate.pipeline.describing.topics import find_topic
from foveate.plugins.blocks import create_block
from foveate.plugins.manager import Offer, installed_plugins
from foveate.plugins.records import Block
from foveate.plugins.testing import measure_costs, subject_of

CHANNELS, SIZE, SEEDS = 16, 33, 8

CAPTION = (
    "How much each position of the input changes the output in the middle: the mean absolute gradient of channels and "
    f"{SEEDS} freshly initialised blocks of {CHANNELS} channels on {SIZE} x {SIZE} positions of noise, logarithmic "
    "colours. White: none. A block that starts as the identity shows the middle alone."
)


def write(reference: Path) -> None:
    """Write an index and a page with a picture for each block.

    Args:
        reference: The folder of the reference; a folder `blocks` is made in it.
    """
    folder = reference / "blocks"
    folder.mkdir(parents=True)
    offers = installed_plugins().of_kind(Block)
    for offer in offers:
        draw_reach(offer.record.name, folder / f"{offer.record.name}.svg")
        (folder / f"{offer.record.name}.md").write_text(page(offer), encoding="utf-8")
    rows = [(f"[{o.record.name}]({o.record.name}.md)", o.record.kind, o.record.summary) for o in offers]
    (folder / "index.md").write_text(
        heading("Attention blocks")
        + "Each maps a feature map (B, C, H, W) to one of the same shape. `foveate plugins list` shows them with those "
        "of installed packages, `foveate compare` trains and compares them.\n\n"
        + table(("block", "kind", "what it does"), rows)
        + contents(offer.record.name for offer in offers),
        encoding="utf-8",
    )


def page(offer: Offer[Block]) -> str:
    """The page of a block, in Markdown."""
    block = offer.record
    built = create_block(block.name, 64)
    lines = [heading(f"`{block.name}`"), f"{block.summary}.\n"]
    lines.append(f"Kind: {block.kind}. Paper: {_paper(block.paper)}.\n")
    lines.append(heading("Definition", 2) + _definition(type(built)))
    lines.append(heading("Use it", 2) + _use(block.name))
    lines.append(heading("Options", 2) + _options(offer))
    lines.append(heading("Costs", 2) + _costs(offer))
    picture = f"![Influence on one output position]({block.name}.svg)"
    lines.append(heading("How far it sees", 2) + f"{picture}\n\n{CAPTION}\n")
    return "\n".join(lines)


def _paper(paper: str) -> str:
    number = paper.removeprefix("arXiv:")
    return f"[{paper}](https://arxiv.org/abs/{number})" if number != paper else paper or "none"


def _definition(kind: type) -> str:
    """What the docstring of the class says, before its arguments, and its source."""
    text = inspect.getdoc(kind) or ""
    before = text.split("\nArgs:")[0].strip()
    source = text.split("\nSource:\n")[1].split("\n\n")[0] if "\nSource:\n" in text else ""
    cited = "Source: " + " ".join(source.split()) + "\n" if source else ""
    return f"{before}\n\n{cited}"


def _use(name: str) -> str:
    return (
        f"    foveate fit --config camvid_segnext_t --data.root ~/camvid --model.attention.gate {name}\n"
        f"    foveate plugins check {name}\n\n"
        "```python\nfrom foveate.plugins.blocks import create_block\n\n"
        f'block = create_block("{name}", 64)  # (B, 64, H, W) -> (B, 64, H, W)\n```\n'
    )


def _options(offer: Offer[Block]) -> str:
    options = find_topic(f"block.{offer.record.name}", {}).options
    rows = [(f"`{one.name}`", one.kind, f"`{one.default_text}`", one.about) for one in options]
    return table(("option", "value", "default", "what it does"), rows) if rows else "None.\n"


def _costs(offer: Offer[Block]) -> str:
    rows = [
        (str(cost.channels), f"{cost.parameters:,}", f"{cost.macs:,}") for cost in measure_costs(subject_of(offer, {}))
    ]
    return table(("channels", "parameters", "multiply-adds at 64 x 64"), rows)


def influence(name: str) -> np.ndarray[Any, Any]:
    """How much each input position changes the output in the middle, (SIZE, SIZE), at most 1."""
    total = torch.zeros(SIZE, SIZE)
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        block = create_block(name, CHANNELS).eval()
        x = torch.randn(1, CHANNELS, SIZE, SIZE, requires_grad=True)
        block(x)[0, :, SIZE // 2, SIZE // 2].sum().backward()
        assert x.grad is not None
        total += x.grad[0].abs().mean(0)
    return (total / total.max()).numpy()


def draw_reach(name: str, path: Path) -> None:
    """Draw the influence of each position on the one in the middle."""
    figure = Figure(figsize=(3.4, 2.8), layout="constrained")
    axes = figure.add_subplot()
    shown = np.log10(np.maximum(influence(name), 1e-6))
    shown[shown <= -6] = np.nan
    image = axes.imshow(shown, cmap="YlGnBu", vmin=-6, vmax=0)
    axes.set_xticks([0, SIZE // 2, SIZE - 1], [str(-(SIZE // 2)), "0", str(SIZE // 2)])
    axes.set_yticks([0, SIZE // 2, SIZE - 1], [str(-(SIZE // 2)), "0", str(SIZE // 2)])
    bar = figure.colorbar(image, ax=axes, ticks=[0, -2, -4, -6], label="share of the largest influence")
    bar.ax.set_yticklabels(["1", "1/100", "1/10 000", "0.000001"])
    figure.savefig(path, metadata={"Date": None}, facecolor="white")
