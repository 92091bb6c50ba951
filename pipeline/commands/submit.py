"""`foveate submit`: predictions of Cityscapes' test split as the zip that its server takes."""

from __future__ import annotations

import hashlib
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from foveate.datasets.errors import DataConfigError, DataError
from foveate.pipeline.command_line import run_single
from foveate.pipeline.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from foveate.pipeline.scoring.submission import Expected
    from foveate.pipeline.training.request import Request

COUNT, SIZE = 1525, "1024x2048"  # of the test split
IMAGES = "leftImg8bit"
NOTE = "made_with.json"  # in the folder of predictions: what they were made with


def submit(
    ckpt_path: str | None = None,
    out: str = "submission.zip",
    check: str | None = None,
    split: str = "test",
    count: int = COUNT,
    size: str = SIZE,
    engine: str = "torch",
    flags: Sequence[str] = (),
) -> None:
    """Predict Cityscapes' test split, write the zip that its server takes, and check it; or check one that there is.

    The predictions stay in a folder beside the zip. After an interruption the same command goes on with the rest.
    Checked are names, number, size, that images have 8 bits and one channel, and that they hold regular ids of classes.

    Example: foveate submit --ckpt_path best --data.root ~/cityscapes --out submission.zip

    Args:
        ckpt_path: The checkpoint: a file, best or last.
        out: The zip.
        check: A zip, or a folder of predictions, that is checked instead; nothing is predicted. With --data.root its
            names are compared with those of the images.
        split: The split whose images are predicted.
        count: The number of images; another number is refused.
        size: Height and width of every image.
        engine: What runs the network, as in foveate predict.
        flags: Not given by name: --data.root, and options as in foveate predict, such as --model.inference.mode slide.

    Raises:
        ConfigError: There is neither a checkpoint nor something to check.
        DataError: Images are missing, or the submission is not what the server takes.
    """
    from foveate.datasets.text import parse_size
    from foveate.pipeline.scoring.submission import Expected
    from foveate.pipeline.training.flags import take_option

    roots, rest = take_option(flags, "--data.root", "--data.init_args.root")
    root = Path(roots[-1]).expanduser() if roots else None
    if check is not None:
        frames = None if root is None else _frames(_images(root, split), count)
        _check(Path(check).expanduser(), Expected(count=count, size=parse_size(size), frames=frames))
        return
    if ckpt_path is None:
        raise ConfigError("give --ckpt_path CHECKPOINT, such as best, or --check FILE.zip")
    target = Path(out).expanduser()
    if target.suffix != ".zip":
        raise ConfigError(f"--out is a file that ends with .zip, not {out}")
    expected = Expected(count=count, size=parse_size(size))
    _make(["--ckpt_path", ckpt_path, "--engine", engine, *rest], root, split, target, expected)


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
    from foveate.datasets.files.pairs import list_images
    from foveate.datasets.text import few
    from foveate.pipeline.scoring.submission import frame_of

    files = list_images(images, recursive=True)
    frames = {file: frame_of(f"{file.stem}.png") for file in files}
    if odd := [file.name for file, frame in frames.items() if frame is None]:
        raise DataError(f"{images}: {len(odd)} images are not named <city>_<seq>_<frame>*: {few(odd)}")
    if len(files) != count:
        advice = f"; for a smaller set say --count {len(files)} and --size" if count == COUNT else ""
        raise DataError(f"{images}: {len(files)} images, expected {count}{advice}")
    return [frame for frame in frames.values() if frame is not None]


def _make(words: list[str], root: Path | None, split: str, target: Path, expected: Expected) -> None:
    """Predict what is not predicted yet, write the zip, and check it."""
    from dataclasses import replace

    from foveate.pipeline.runs.directories import global_rank
    from foveate.pipeline.runs.recipes import arguments_of
    from foveate.pipeline.scoring.submission import write_zip
    from foveate.pipeline.training.request import understand

    if root is None:
        root = Path(str(arguments_of(understand("test", words).recipe, "data").get("root") or "")).expanduser()
        if str(root) in ("", "."):
            raise DataConfigError("which images? give --data.root, the folder that holds leftImg8bit/")
    images, folder = _images(root, split), target.with_suffix("")
    expected = replace(expected, frames=_frames(images, expected.count))
    request = understand("predict", [*words, "--data.images", str(images), "--out", str(folder)])
    _claim(folder, request)
    _predict(request)
    if global_rank() > 0:
        return
    written = write_zip(folder / "labels", target)
    print(f"{target}: {written} label maps, {target.stat().st_size / 1e6:.1f} MB", flush=True)
    _check(target, expected)


def _claim(folder: Path, request: Request) -> None:
    """Note what the predictions in a folder are made with.

    Raises:
        CheckpointError: The checkpoint predicts other classes.
        DataConfigError: The folder holds predictions that were made with something else.
    """
    from foveate.datasets.labels import CITYSCAPES
    from foveate.pipeline.files import write_text
    from foveate.pipeline.runs.checkpoints import read_checkpoint

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


def _predict(request: Request) -> None:
    """Predict the images that have no label map yet."""
    from foveate.pipeline.startup import import_named
    from foveate.pipeline.training.command import predict

    import_named()
    predict(request, resume=True)


def _check(path: Path, expected: Expected) -> None:
    from foveate.datasets.progress import bar
    from foveate.pipeline.scoring.faults import FilesError
    from foveate.pipeline.scoring.submission import check_submission

    try:
        with bar("checking") as advance:
            frames = check_submission(path, expected, advance)
    except FilesError as error:
        print(*error.lines, sep="\n", file=sys.stderr, flush=True)
        raise
    height, width = expected.size
    print(f"{path}: {frames} label maps of {height} x {width} with regular ids, ready for the server", flush=True)


def run(words: Sequence[str]) -> None:
    """Run `foveate submit`.

    Args:
        words: The command line after it.
    """
    run_single("foveate submit", submit, words or ["--help"])
