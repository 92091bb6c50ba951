"""One picture of an explanation: the answer, what it rests on, and the attention maps of the blocks."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveate.pipeline.callbacks.drawing import draw_overlay
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.explanation.explain import Explanation
from foveate.pipeline.files import replacing
from foveate.pipeline.measuring.receptive_field import effective_reach, position_of
from foveate.plugins.maps import RecordedMap

COLUMNS = 5
INCHES = 3.6  # width of a panel
MOST = 10  # maps of one module
TOP = 6  # classes whose probabilities are shown
Draw = Callable[[Any], None]
Panel = tuple[str, str, Draw]  # title, what it shows, and what draws it


def draw_explanation(found: Explanation, path: str | Path, *, title: str = "", blocks: int = 8) -> None:
    """Draw an explanation as a PNG.

    Of each kind of block, only the last one at each size of feature map is drawn; `found.maps` has all.

    Args:
        found: The explanation.
        path: The file.
        title: The line above.
        blocks: How many modules' maps are drawn at most, the deepest ones.

    Raises:
        ConfigError: matplotlib is not installed.
        OSError: The file cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # late, and an extra
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError("the picture needs matplotlib: pip install 'foveate[explain]'") from error
    rows = _in_rows(_answer(found), *_map_groups(found, blocks))
    columns = max(map(len, rows))
    tall = INCHES * min(max(found.image.shape[0] / found.image.shape[1], 0.5), 1.6) + 0.75
    figure = Figure(figsize=(INCHES * columns, tall * len(rows) + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title or f"Why {found.name!r}?", fontsize=14, fontweight="bold")
    for number, row in enumerate(rows):
        for column, panel in enumerate(row):
            _draw(figure.add_subplot(len(rows), columns, number * columns + column + 1), *panel)
    with replacing(Path(path)) as draft, draft.open("wb") as file:
        figure.savefig(file, format="png", dpi=110)


def _in_rows(answer: list[Panel], *groups: list[Panel]) -> list[list[Panel]]:
    """Rows of panels; the maps of one module stay in one row if they fit, and share it if there is room."""
    rows = [answer[:COLUMNS], *([answer[COLUMNS:]] if len(answer) > COLUMNS else []), []]
    for group in groups:
        for start in range(0, len(group), COLUMNS):
            part = group[start : start + COLUMNS]
            if len(rows[-1]) + len(part) > COLUMNS:
                rows.append([])
            rows[-1] += part
    return [row for row in rows if row]


def _draw(axes: Any, title: str, text: str, draw: Draw) -> None:
    draw(axes)
    lines = textwrap.wrap(text, 46, break_long_words=True)
    axes.set_title(title, fontsize=10, fontweight="bold", loc="left", pad=6 + 10.5 * len(lines))
    where = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
    axes.annotate("\n".join(lines), (0, 1), (0, 4), fontsize=8, color="0.3", **where)


def _answer(found: Explanation) -> list[Panel]:
    """The panels on the answer: image, prediction, Grad-CAM, receptive field, rollout."""
    where = "at the point" if found.at is not None and found.prediction is not None else "for this image"
    panels = [("Image", _size_text(found), _plain_image(found)), _prediction_panel(found)]
    cam_text = f"red: raises the score of {found.name!r} {where}; layer: {found.layer}"
    if not found.cam.any():
        cam_text = f"nothing in {found.layer} raises the score of {found.name!r}"
    panels.append((f"Grad-CAM for {found.name!r}", cam_text, _heat(found, found.cam)))
    if found.influence is not None:
        side = effective_reach(found.influence)
        point = "at the point" if found.at is not None else "in the centre"
        text = f"pixels that change the deepest feature {point}; area as of a square of side {side:.0f}"
        panels.append(("Effective receptive field", text, _heat(found, _brightened(found.influence))))
    if found.rollout is not None:
        text = "red: patches that the answer draws most from, through all layers of attention"
        panels.append(("Attention rollout", text, _heat(found, _stretched(found.rollout))))
    return panels


def _size_text(found: Explanation) -> str:
    height, width = found.image.shape[:2]
    point = f"; the cross is at row {found.at[0]}, column {found.at[1]}" if found.at else ""
    return f"{height} x {width} pixels{point}"


def _prediction_panel(found: Explanation) -> Panel:
    percent = f"{100 * found.probability:.1f} %"
    if found.prediction is None:
        return "Prediction", f"probability of {found.name!r}: {percent}", _bars(found)
    where = "at the point" if found.at is not None else "mean over the pixels predicted as it"
    text = f"probability of {found.name!r}: {percent} ({where})"
    if found.labels is not None:
        coloured = draw_overlay(found.image, found.prediction, found.labels)
        return "Prediction", text, _with_legend(found, coloured)
    return "Prediction", text, _region(found)


def _plain_image(found: Explanation) -> Draw:
    def draw(axes: Any) -> None:
        _show(axes, found.image)
        _mark(axes, found)

    return draw


def _with_legend(found: Explanation, coloured: NDArray[np.uint8]) -> Draw:
    labels, prediction = found.labels, found.prediction
    assert labels is not None
    assert prediction is not None
    counts = np.bincount(prediction.ravel(), minlength=len(labels.names))
    largest = [int(number) for number in np.argsort(-counts)[:TOP] if counts[number]]

    def draw(axes: Any) -> None:
        from matplotlib.patches import Patch

        _show(axes, coloured)
        _mark(axes, found)
        palette = labels.palette()
        patches = [Patch(color=palette[number] / 255, label=labels.names[number]) for number in largest]
        axes.legend(handles=patches, fontsize=6.5, loc="lower left", framealpha=0.8, handlelength=1, borderpad=0.3)

    return draw


def _region(found: Explanation) -> Draw:
    """Without colours of the classes: the pixels of the explained one."""
    assert found.prediction is not None
    inside = (found.prediction == found.target).astype(np.float32)
    return _heat(found, inside)


def _bars(found: Explanation) -> Draw:
    order = np.argsort(-found.probabilities)[:TOP][::-1]

    def draw(axes: Any) -> None:
        colours = ["tab:red" if number == found.target else "tab:grey" for number in order]
        axes.barh(range(len(order)), 100 * found.probabilities[order], color=colours)
        axes.set_yticks(range(len(order)), [found.names[number] for number in order], fontsize=8)
        axes.set_xlim(0, 100)
        axes.set_xlabel("probability, %", fontsize=8)
        axes.tick_params(axis="x", labelsize=7)

    return draw


def _stretched(rollout: NDArray[np.float32]) -> NDArray[np.float32]:
    """The least patch is 0: residual connections leave every patch a share."""
    low = float(rollout.min())
    return np.asarray((rollout - low) / max(float(rollout.max()) - low, 1e-12))


def _brightened(influence: NDArray[np.float32]) -> NDArray[np.float32]:
    """So that more than the few largest values are seen: the largest hundredth is 1, and roots are taken."""
    strong = max(float(np.quantile(influence, 0.99)), 1e-12)
    return np.asarray(np.sqrt(np.clip(influence / strong, 0, 1)))


def _heat(found: Explanation, heat: NDArray[np.float32]) -> Draw:
    """A grey image, with the heat over it: transparent at 0, red at 1."""
    grey = np.repeat((0.75 * found.image.mean(axis=2, keepdims=True) + 45).astype(np.uint8), 3, axis=2)

    def draw(axes: Any) -> None:
        strength = np.clip(heat, 0, 1)
        _show(axes, grey)
        axes.imshow(strength, cmap="YlOrRd", vmin=0, vmax=1, alpha=0.85 * strength)
        _mark(axes, found)

    return draw


def _show(axes: Any, image: NDArray[np.uint8]) -> None:
    axes.imshow(image)
    axes.set_axis_off()


def _mark(axes: Any, found: Explanation) -> None:
    if found.at is not None:
        axes.plot(found.at[1], found.at[0], "+", color="black", markersize=13, markeredgewidth=3.5)
        axes.plot(found.at[1], found.at[0], "+", color="cyan", markersize=12, markeredgewidth=1.8)


def _map_groups(found: Explanation, blocks: int) -> list[list[Panel]]:
    """The panels of each module whose maps are drawn."""
    if not blocks:
        return []
    shown = [one for one in found.maps if not (one.kind == "attention" and one.grid is None)]
    last: dict[tuple[Any, ...], str] = {}
    for one in shown:
        last[one.block, one.grid] = one.module
    kept = list(dict.fromkeys(last.values()))[-blocks:]
    return [[_map_panel(found, one) for one in shown if one.module == module][:MOST] for module in kept]


def _map_panel(found: Explanation, one: RecordedMap) -> Panel:
    title = one.name[:1].upper() + one.name[1:]
    origin = f"{one.block}, {one.module}"
    if one.kind == "channels":
        return title, f"{origin}: the weights of {one.values.shape[1]} channels", _channel_bars(one)
    assert one.grid is not None
    if one.kind == "attention":
        text = f"{origin}: positions that {'the point reads' if found.at else 'all positions read'}"
        return title, text, _grid_heat(found, _attended(found, one))
    values = one.values[0].numpy()
    several = values.shape[0] > 1
    said = f"mean absolute value of {values.shape[0]} channels" if several else "weight of each position"
    mean = np.abs(values).mean(0) if several else values[0]
    return title, f"{origin}: {said}", _grid_heat(found, mean)


def _attended(found: Explanation, one: RecordedMap) -> NDArray[np.float32]:
    assert one.grid is not None
    mean = one.values[0].mean(0)
    if found.at is None:
        row = mean.mean(0)
    else:
        place = position_of(found.at, (found.image.shape[0], found.image.shape[1]), one.grid)
        row = mean[place[0] * one.grid[1] + place[1]]
    return np.asarray(row.reshape(one.grid).numpy())


def _grid_heat(found: Explanation, values: NDArray[np.float32]) -> Draw:
    height, width = found.image.shape[:2]

    def draw(axes: Any) -> None:
        shown = axes.imshow(values, cmap="viridis", extent=(-0.5, width - 0.5, height - 0.5, -0.5), aspect="auto")
        axes.set_box_aspect(height / width)
        axes.set_axis_off()
        _mark(axes, found)
        beside = axes.inset_axes((1.015, 0, 0.03, 1))
        axes.figure.colorbar(shown, cax=beside)
        beside.tick_params(labelsize=6)

    return draw


def _channel_bars(one: RecordedMap) -> Draw:
    weights: Sequence[float] = np.sort(one.values[0].flatten().numpy())[::-1].tolist()

    def draw(axes: Any) -> None:
        axes.fill_between(range(len(weights)), weights, step="mid", color="tab:blue", alpha=0.7)
        axes.set_ylim(min(0.0, *weights), max(1.0, *weights))
        axes.set_xlabel("channels, from the largest weight", fontsize=8)
        axes.set_ylabel("weight", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.grid(axis="y", alpha=0.3)

    return draw
