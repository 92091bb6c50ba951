"""`foveate predict` of videos."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foveate.pipeline.answering import kept_free, write_figures
from foveate.pipeline.errors import ConfigError, UnusableDataError
from foveate.pipeline.outputs import DEFAULT, FOLDERS, PredictOptions
from foveate.pipeline.predictor.predictor import Predictor
from foveate.pipeline.predictor.running import find_device
from foveate.pipeline.predictor.source import open_source
from foveate.pipeline.text import few
from foveate.pipeline.training.flags import value_of
from foveate.pipeline.training.request import Request
from foveate.pipeline.training.written import SCHEMA
from foveate.pipeline.video.kinds import check_installed, is_video
from foveate.pipeline.video.labelling import Labelled, VideoOptions, label_video

ACCELERATOR = "--trainer.accelerator"
TAKEN = ("--data.images", "--out", ACCELERATOR, "--data.num_workers", "--data.batch_size")  # the last two: no effect
DEVICES = {"cpu": "cpu", "gpu": "cuda", "cuda": "cuda", "mps": "mps"}  # accelerator -> device
BATCH = 8  # frames that go through a GPU together


def videos_of(images: str | None) -> list[Path]:
    """The videos that are meant; none if any other file is meant too.

    Args:
        images: A file or a pattern, as given to --data.images.
    """
    if images is None:
        return []
    path = Path(os.path.expanduser(images))
    found = [path] if path.is_file() else [Path(one) for one in sorted(glob.glob(str(path), recursive=True))]
    return found if all(is_video(one) and one.is_file() for one in found) else []


def predict_videos(request: Request, videos: Sequence[Path]) -> None:
    """Label videos, and tell what was written.

    Args:
        request: The command line, taken apart.
        videos: The files.

    Raises:
        ConfigError: The options are not for videos, or the extra `video` is not installed.
        UnusableDataError: Frames could not be read; all others are written.
    """
    options, out = request.predicting, Path(value_of(request.flags, "--out") or "predictions").expanduser()
    outputs = _checked(request, options)
    if len({video.stem for video in videos}) < len(videos):
        raise ConfigError(f"videos of one name would overwrite each other's files: {few(map(str, videos))}")
    device = find_device(DEVICES.get(value_of(request.flags, ACCELERATOR) or "", "auto"))
    batch = 1 if device.type == "cpu" else BATCH
    source = open_source(str(request.checkpoint), request.modules)
    predictor = Predictor(source, engine=request.engine, device=str(device), batch_size=batch)
    if predictor.kind != "segmentation":
        raise ConfigError("videos are labelled by segmentation models; this one classifies images")
    settings = VideoOptions(outputs=outputs, every=options.every, batch=batch, progress=sys.stderr.isatty())
    left_out = [video for video in videos if options.resume and _is_there(video, out, outputs)]
    done = {
        video: label_video(video, out, lambda images: predictor(list(images)), settings)
        for video in videos
        if video not in left_out
    }
    _tell(done, len(left_out), out, request.json)


def _checked(request: Request, options: PredictOptions) -> tuple[Any, ...]:
    """What is written of each frame."""
    check_installed()
    outputs = options.outputs or DEFAULT
    wrong = [name for name in outputs if name not in DEFAULT]
    if wrong:
        raise ConfigError(f"--outputs: a video is written as {' or '.join(DEFAULT)}, not as {wrong[0]}")
    if request.checkpoint is None:
        raise ConfigError("videos need the weights of a checkpoint: --ckpt_path best")
    flags = [word.partition("=")[0] for word in request.flags if word.startswith("--")]
    if others := [flag for flag in flags if flag not in TAKEN]:
        raise ConfigError(f"{others[0]} is not for videos, which are labelled with the settings of the checkpoint")
    return outputs


def _is_there(video: Path, out: Path, outputs: Sequence[str]) -> bool:
    return all(
        any((out / FOLDERS[name][0] / f"{video.stem}{ending}").is_file() for ending in (".mp4", ".mkv"))
        for name in outputs
    )


def _tell(done: dict[Path, Labelled], left_out: int, out: Path, json: str | None) -> None:
    faults = {video: labelled.faults for video, labelled in done.items() if labelled.faults}
    before = f" ({left_out} were there before)" if left_out else ""
    frames = sum(labelled.frames for labelled in done.values())
    with kept_free(json):
        print(f"{len(done)} videos, {frames} frames{before}: {out}", flush=True)
    if json is not None:
        videos = [
            {
                "source": str(video),
                "frames": labelled.frames,
                "files": {name: str(path) for name, path in labelled.files.items()},
                "faults": labelled.faults,
            }
            for video, labelled in done.items()
        ]
        write_figures({"schema": SCHEMA, "kind": "video", "written_before": left_out, "videos": videos}, json)
    if faults:
        told = "; ".join(f"{video}: {few(some, 3, ', ')}" for video, some in faults.items())
        raise UnusableDataError(f"parts of {len(faults)} videos could not be read, all else is written: {told}")
