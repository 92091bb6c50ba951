"""What was drawn for a sample, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from foveate.datasets.augment.draw import Draw
from foveate.datasets.augment.photometric import Distortion

LONGEST = 60  # characters of a parameter
Names = Sequence[str]


def tell_draw(draw: Draw, names: Names, size: tuple[int, int], source: Callable[[int], str]) -> list[str]:
    """A line on each part of a draw.

    Args:
        draw: What was drawn.
        names: Names of the classes.
        size: Height and width of the image as stored.
        source: Index of an image -> its name.
    """
    window = draw.window
    lines = [
        f"scale {draw.scale:.4g}: {size[0]} x {size[1]} becomes {round(size[0] * draw.scale)} x "
        f"{round(size[1] * draw.scale)}, of which rows {window.top} to {window.top + window.height - 1} and columns "
        f"{window.left} to {window.left + window.width - 1}",
        "flipped" if draw.flipped else "not flipped",
        f"colours: {_tell_distortion(draw.distortion)}",
    ]
    if draw.target is not None:
        lines.append(f"chosen to show: {names[draw.target]}")
    lines += [
        f"pasted: {names[one.label]} of {source(one.source)}, scale {one.scale:.3g}, {one.pixels} pixels"
        for one in draw.pasted
    ]
    return [*lines, *tell_applied(draw.further)]


def _tell_distortion(distortion: Distortion | None) -> str:
    if distortion is None:
        return "unchanged"
    order = "contrast first" if distortion.contrast_first else "contrast last"
    parts = [
        ("brightness", distortion.brightness, "{:+.1f}"),
        ("contrast", distortion.contrast, "x {:.2f}" + f" ({order})"),
        ("saturation", distortion.saturation, "x {:.2f}"),
        ("hue", distortion.hue, "{:+.1f}"),
    ]
    said = [f"{name} {form.format(value)}" for name, value, form in parts if value is not None]
    return ", ".join(said) or "unchanged"


def tell_applied(applied: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """A line on each operation of a library: its name and parameters.

    Args:
        applied: Names and parameters.

    Example:
        >>> tell_applied([("GaussianBlur", {"shape": (9, 9, 3), "sigma": 1.25, "kernel": np.zeros((5, 5))})])
        ['GaussianBlur: sigma 1.25, kernel array of 5 x 5']
    """
    return [": ".join(filter(None, (name, ", ".join(_tell_parameters(drawn))))) for name, drawn in applied]


def _tell_parameters(drawn: Mapping[str, Any]) -> Iterator[str]:
    for name, value in drawn.items():
        if name != "shape":  # of the image
            yield f"{name} {_short(value)}"


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size > 4:
        return f"array of {' x '.join(map(str, value.shape))}"
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
