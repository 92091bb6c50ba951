"""Label every frame of a video: frame rate, times and audio stay as they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from foveate.pipeline.errors import ConfigError, UnusableDataError
from foveate.pipeline.files import replacing
from foveate.pipeline.outputs import FOLDERS
from foveate.pipeline.predictor.results import Segmentation
from foveate.pipeline.text import few
from foveate.pipeline.video.reading import Clip, Frame, Pixels
from foveate.pipeline.video.writing import VideoWriter, ending_of

Output = Literal["overlay", "labels"]  # each in a folder of its own, as the pictures of `foveate predict`
Predict = Callable[[Sequence[Pixels]], Sequence[Segmentation]]


@dataclass(frozen=True, kw_only=True)
class VideoOptions:
    """How a video is labelled.

    Attributes:
        outputs: Which videos are written: overlay, and labels: the data set's own ids as lossless grey values.
        every: Only every n-th frame goes through the network; those between get the labels of the one before.
        batch: Frames that go through the network together.
        opacity: Weight of the colours in an overlay, 0 to 1.
        progress: Whether a bar is shown, on the standard error stream.
    """

    outputs: tuple[Output, ...] = ("overlay",)
    every: int = 1
    batch: int = 1
    opacity: float = 0.5
    progress: bool = False

    def __post_init__(self) -> None:
        if not self.outputs:
            raise ConfigError(f"a video is written as {' or '.join(get_args(Output))}, or both, not as nothing")
        if self.every < 1 or self.batch < 1:
            raise ConfigError(f"every n-th frame, in batches: at least 1, not {self.every} and {self.batch}")


@dataclass
class Labelled:
    """What became of a video.

    Attributes:
        files: Output -> file.
        frames: Frames that were written.
        faults: What could not be decoded.
    """

    files: dict[Output, Path] = field(default_factory=dict)
    frames: int = 0
    faults: list[str] = field(default_factory=list)


def label_video(source: Path, out: Path, predict: Predict, options: VideoOptions) -> Labelled:
    """Write the labels of a video as videos: `<out>/overlays/<name>.mp4`, `<out>/labels/<name>.mkv`.

    A file appears once it is complete. As many frames are written as could be read, at their times.

    Args:
        source: The video.
        out: Folder to write to.
        predict: The labels of several frames.
        options: How.

    Raises:
        ConfigError: The extra `video` is not installed.
        UnusableDataError: The video cannot be opened, or no frame can be read.
    """
    done = Labelled()
    with Clip(source) as clip, _progress(clip, options) as advance, ExitStack() as stack:
        files: dict[Output, Path] = {
            name: out / FOLDERS[name][0] / f"{source.stem}{ending_of(clip) if name == 'overlay' else '.mkv'}"
            for name in options.outputs
        }
        drafts = {name: stack.enter_context(replacing(path, flush=False)) for name, path in files.items()}
        videos = _Videos(clip, {name: (draft, files[name].suffix) for name, draft in drafts.items()}, options)
        stack.push(lambda kind, error, trace: videos.close(complete=kind is None))
        for frame, result in _labelled(clip, predict, options, videos.copy):
            videos.write(frame, result)
            done.frames += 1
            advance()
        done.faults = clip.faults
        if not done.frames:
            raise UnusableDataError(f"{source}: none of its frames can be read: {few(clip.faults, 3, '; ')}")
    done.files = files
    return done


def _labelled(
    clip: Clip, predict: Predict, options: VideoOptions, copy: Callable[[Any], None]
) -> Iterator[tuple[Frame, Segmentation]]:
    """Each frame with its labels; packets of audio are copied in between."""
    held: list[Frame] = []
    for part in clip:
        if not isinstance(part, Frame):
            copy(part)
            continue
        held.append(part)
        if len(held) == options.every * options.batch:
            yield from _results(held, predict, options.every)
            held.clear()
    yield from _results(held, predict, options.every)


def _results(frames: Sequence[Frame], predict: Predict, every: int) -> Iterator[tuple[Frame, Segmentation]]:
    chosen = [frame.pixels for frame in frames[::every]]
    results = predict(chosen) if chosen else []
    for number, frame in enumerate(frames):
        yield frame, replace(results[number // every], image=frame.pixels)


class _Videos:
    """The videos that are written of a clip; they are opened once its first frame tells their size."""

    def __init__(self, clip: Clip, files: Mapping[Output, tuple[Path, str]], options: VideoOptions) -> None:
        self.clip, self.files, self.opacity = clip, files, options.opacity
        self._writers: dict[Output, VideoWriter] = {}
        self._early: list[Any] = []  # packets of audio that came before the first frame

    def write(self, frame: Frame, result: Segmentation) -> None:
        pictures = {name: self._picture(name, result) for name in self.files}
        if not self._writers:
            for name, (path, ending) in self.files.items():
                self._writers[name] = VideoWriter(path, ending, self.clip, pictures[name])
            for packet in self._early:
                self.copy(packet)
            self._early.clear()
        for name, writer in self._writers.items():
            writer.write(pictures[name], frame.time, frame.duration)

    def copy(self, packet: Any) -> None:
        if not self._writers:
            self._early.append(packet)
        for writer in self._writers.values():
            writer.copy(packet)

    def close(self, *, complete: bool) -> None:
        for writer in self._writers.values():
            writer.close(complete=complete)

    def _picture(self, name: Output, result: Segmentation) -> NDArray[Any]:
        if name == "overlay":
            return np.asarray(result.overlay(self.opacity))
        ids: NDArray[Any] = result.label_set.to_regular_ids()[result.labels]
        return ids


@contextmanager
def _progress(clip: Clip, options: VideoOptions) -> Iterator[Callable[[], None]]:
    """A bar that each call of what is given moves on by a frame."""
    if not options.progress:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(file=sys.stderr)) as bar:
        task = bar.add_task(clip.path.name, total=clip.count or None)
        yield lambda: bar.advance(task)
