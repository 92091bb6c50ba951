"""The command `foveate explain`: why a network answers as it does for one image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from foveate.pipeline.command_line import run_single
from foveate.pipeline.errors import ConfigError, MachineError
from foveate.plugins.output import print_json
from foveate.plugins.selection import split_names

FOLDER = "explained"
SHORT = {"--class": "--class_name"}  # `class` is no name of a parameter in Python


def explain_image(
    model: str,
    image: str,
    at: str | None = None,
    class_name: str | None = None,
    layer: str | None = None,
    out: str = FOLDER,
    blocks: int = 8,
    side: int = 1024,
    json: bool = False,
    plugins: str = "",
) -> None:
    """Draw what the answer of a network for an image rests on, as one picture.

    Shown are the prediction; Grad-CAM, the regions that raise the score of a class; the effective receptive field,
    the pixels that change the deepest feature; the rollout of a transformer's attention; and the attention maps of
    blocks that offer them, such as the weights of SE or the branches of MSCA.

    Example: foveate explain runs/latest photo.jpg --at 120,340

    Args:
        model: A checkpoint, a run directory, or a model of the hub (owner/name or folder).
        image: The image file.
        at: Row,column of the pixel to explain; the whole image if not given.
        class_name: Class to explain (or --class); the predicted one if not given.
        layer: Module whose feature map Grad-CAM explains; the deepest if not given.
        out: Folder for the picture.
        blocks: How many modules' attention maps are drawn at most.
        side: Longest side in pixels; a larger image is reduced.
        json: Print the numbers as JSON instead of a sentence.
        plugins: Comma-separated modules, or files of this folder, that the model needs besides installed plugins.

    Raises:
        ConfigError: The class, pixel or layer does not exist, or a library is missing.
        MachineError: The picture cannot be written.
    """
    from foveate.pipeline.explanation import draw_explanation, explain  # late: torch takes a second
    from foveate.pipeline.predictor.source import open_source

    if side < 1 or blocks < 0:
        raise ConfigError(f"--side is at least 1 and --blocks at least 0, not {side} and {blocks}")
    point = None if at is None else _pixel(at)
    source = open_source(model, split_names(plugins))
    found = explain(source, image, at=point, target=class_name, layer=layer, side=side)
    path = Path(out).expanduser() / f"{Path(image).stem}.png"
    where = f" at row {found.at[0]}, column {found.at[1]}" if found.at and found.prediction is not None else ""
    try:
        draw_explanation(found, path, title=f"{Path(image).name}: why {found.name!r}{where}?", blocks=blocks)
    except OSError as error:
        raise MachineError(f"{path}: cannot be written: {error}; give --out FOLDER") from error
    _tell({"image": image, "picture": str(path), **found.summary()}, as_json=json)


def _pixel(given: str) -> tuple[int, int]:
    row, comma, column = given.partition(",")
    if not (comma and row.strip().isdecimal() and column.strip().isdecimal()):
        raise ConfigError(f"--at {given}: not ROW,COLUMN in pixels, such as --at 120,340")
    return int(row), int(column)


def _tell(summary: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print_json(summary)
        return
    notes = summary["notes"]
    assert isinstance(notes, list)
    for note in notes:
        print(f"note: {note}")
    probability = summary["probability"]
    assert isinstance(probability, float)
    print(f"{summary['picture']}: {summary['class']!r}, probability {100 * probability:.1f} %", flush=True)


def run(words: Sequence[str]) -> None:
    """Run `foveate explain`.

    Args:
        words: The command line after it.
    """
    given = [_spelled(word) for word in words]
    run_single("foveate explain", explain_image, given or ["--help"])


def _spelled(word: str) -> str:
    name, equals, value = word.partition("=")
    return SHORT.get(name, name) + equals + value
