"""What `foveate submit` does: predicts a split, writes the zip, and checks it."""

from __future__ import annotations

import hashlib
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.files.pairs import list_images
from foveate.datasets.labels import CITYSCAPES
from foveate.datasets.progress import bar
from foveate.datasets.text import few, parse_size
from foveate.pipeline.errors import CheckpointError, ConfigError
from foveate.pipeline.files import write_text
from foveate.pipeline.outputs import LABELS, PredictOptions
from foveate.pipeline.runs.directories import global_rank
from foveate.pipeline.runs.recipes import arguments_of
from foveate.pipeline.scoring.faults import FilesError
from foveate.pipeline.scoring.submission import TEST_FRAMES, Expected, check_submission, frame_of, write_zip
from foveate.pipeline.startup import import_named
from foveate.pipeline.training.flags import take_option
from foveate.pipeline.training.request import Request, understand

IMAGES = "leftImg8bit"
NOTE = "made_with.json"  # in the folder of predictions: what they were made with


@dataclass(frozen=True)
class Asked:
    """The options of `foveate submit`, which describes them."""

    out: str
    split: str
    count: int
    size: str

    @property
    def expected(self) -> Expected:
        """What the submission has to hold, names aside."""
        return Expected(count=self.count, size=parse_size(self.size))


def recheck(path: str, asked: Asked, flags: Sequence[str]) -> dict[str, Any]:
    """Check a zip or a folder that there is.

    Args:
        path: The zip or the folder.
        asked: The options.
        flags: With --data.root the names of the images are known.

    Returns:
        What was checked: the path, and number and size of the label maps.

    Raises:
        FilesError: It is not what the server takes.
    """
    root, _ = _root(flags)
    frames = None if root is None else _frames(_images(root, asked.split), asked.count)
    return _check(Path(path).expanduser(), replace(asked.expected, frames=frames))


def _root(flags: Sequence[str]) -> tuple[Path | None, list[str]]:
    """The root of the data set, if it is given, and the other flags."""
    roots, rest = take_option(flags, "--data.root", "--data.init_args.root")
    return (Path(roots[-1]).expanduser() if roots else None), rest


def _images(root: Path, split: str) -> Path:
    folder = root / IMAGES / split
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; --data.root holds {IMAGES}/{split}/ (leftImg8bit_trainvaltest.zip)")
    return folder


def _frames(images: Path, count: int) -> list[str]:
    """The names of the frames of the images in a folder.

    Raises:
        DataError: An image is named otherwise, or there are more or fewer than there should be.
    """
    files = list_images(images, recursive=True)
    frames = {file: frame_of(f"{file.stem}.png") for file in files}
    if odd := [file.name for file, frame in frames.items() if frame is None]:
        raise DataError(f"{images}: {len(odd)} images are not named <city>_<seq>_<frame>*: {few(odd)}")
    if len(files) != count:
        advice = f"; for a smaller set say --count {len(files)} and --size" if count == TEST_FRAMES else ""
        raise DataError(f"{images}: {len(files)} images, expected {count}{advice}")
    return [frame for frame in frames.values() if frame is not None]


def make_submission(words: Sequence[str], asked: Asked, flags: Sequence[str]) -> dict[str, Any]:
    """Predict what is not predicted yet, write the zip, and check it.

    Args:
        words: Checkpoint and engine, as `foveate predict` takes them.
        asked: The options.
        flags: --data.root, and options of `foveate predict`.

    Returns:
        What was checked, as of `recheck`.

    Raises:
        DataConfigError: It is not known where the images are, or the predictions there are others.
        DataError: Images are missing, or the submission is not what the server takes.
    """
    root, rest = _root(flags)
    root = root or _trained_root([*words, *rest])
    target = Path(asked.out).expanduser()
    images, folder = _images(root, asked.split), target.with_suffix("")
    expected = replace(asked.expected, frames=_frames(images, asked.count))
    request = understand("predict", [*words, *rest, "--data.images", str(images), "--out", str(folder)])
    _claim(folder, request)
    import_named()
    from foveate.pipeline.training.command import predict

    predict(replace(request, predicting=PredictOptions(outputs=(LABELS,), resume=True)))
    if global_rank() > 0:
        return {}
    written = write_zip(folder / "labels", target)
    print(f"{target}: {written} label maps, {target.stat().st_size / 1e6:.1f} MB", flush=True)
    return _check(target, expected)


def _trained_root(words: Sequence[str]) -> Path:
    """The root of the data set in the recipe of the checkpoint."""
    root = arguments_of(understand("test", words).recipe, "data").get("root")
    if not root:
        raise DataConfigError("which images? give --data.root, the folder that holds leftImg8bit/")
    return Path(str(root)).expanduser()


def _claim(folder: Path, request: Request) -> None:
    """Note what the predictions in a folder are made with.

    Raises:
        CheckpointError: The checkpoint predicts other classes.
        DataConfigError: The folder holds predictions that were made with something else.
    """
    from foveate.pipeline.runs.checkpoints import read_checkpoint  # late: torch, which a check does not need

    if request.checkpoint is None:
        raise ConfigError("give --ckpt_path CHECKPOINT, such as best")
    labels = (read_checkpoint(request.checkpoint).get("hyper_parameters") or {}).get("labels") or {}
    if tuple(labels.get("ids", ())) != CITYSCAPES.ids:
        trained = f"the classes of {labels['name']}" if labels.get("name") else "classes that it does not name"
        raise CheckpointError(f"{request.checkpoint} predicts {trained}; the server takes Cityscapes' 19 classes")
    with request.checkpoint.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    made = {"checkpoint": digest, "flags": shlex.join(request.flags), "engine": request.engine}
    note = folder / NOTE
    if note.is_file():
        if json.loads(note.read_text(encoding="utf-8")) == made:
            return
        raise DataConfigError(
            f"{folder} holds predictions of another checkpoint or other options; delete it, or change --out"
        )
    if folder.exists() and any(folder.iterdir()):
        raise DataConfigError(f"{folder} exists and holds something else; the predictions go there; give another --out")
    write_text(note, json.dumps(made, indent=1) + "\n")


def _check(path: Path, expected: Expected) -> dict[str, Any]:
    try:
        with bar("checking") as advance:
            frames = check_submission(path, expected, advance)
    except FilesError as error:
        print(*error.lines, sep="\n", file=sys.stderr, flush=True)
        raise
    height, width = expected.size
    print(f"{path}: {frames} label maps of {height} x {width} with regular ids, ready for the server", flush=True)
    return {"path": str(path), "label_maps": frames, "height": height, "width": width}
