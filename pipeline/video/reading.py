"""The frames of a video, upright and with their times; what cannot be decoded is noted and left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from foveate.pipeline.text import first_line
from foveate.pipeline.video.kinds import open_video

ENDS_EARLY = 0.1  # seconds
Pixels = UInt8[np.ndarray, "H W 3"]


@dataclass(frozen=True)
class Frame:
    """A picture of a video.

    Attributes:
        pixels: RGB, upright.
        time: When it is shown, in units of the clip's `time_base`.
        duration: For how long, likewise; 0 if the file does not say.
    """

    pixels: Pixels = field(repr=False)
    time: int
    duration: int


class Clip:
    """A video that is read once, from its start to its end.

    Args:
        path: The file.

    Raises:
        ConfigError: The extra `video` is not installed.
        UnusableDataError: It cannot be opened.

    Attributes:
        path: The file.
        audio: Its audio streams.
        rate: Frames a second, on average.
        time_base: Seconds of a unit of time.
        length: Seconds that its pictures are shown for; 0 if the file does not say.
        count: Frames that it should have; 0 if the file does not say.
        faults: What could not be decoded, and when; complete once all is read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._container = open_video(path)
        self._video = self._container.streams.video[0]
        self.audio: tuple[Any, ...] = tuple(self._container.streams.audio)
        self.rate: Fraction = self._video.average_rate or self._video.guessed_rate or Fraction(25)
        self.time_base: Fraction = self._video.time_base or 1 / self.rate
        self.length = _length_of(self._video)
        self.count: int = self._video.frames or round(self.length * self.rate)
        self.faults: list[str] = []
        self._next = 0  # time of a frame whose file gives none
        self._stored = self._shown = 0  # frames that were read, and those of them that could be decoded
        self._end = 0.0  # in seconds, of the last one

    def __enter__(self) -> Clip:
        return self

    def __exit__(self, *error: object) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[Any]:
        """Its frames, and between them the packets of its audio streams as they are stored."""
        import av

        packets = self._container.demux(self._video, *self.audio)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                self.faults.append(f"the file cannot be read further: {first_line(error)}")
                return
            if packet is None:
                self._tell_what_is_missing()
                return
            if packet.stream.type == "video":
                self._note(packet)
                yield from self._decoded(packet)
            elif packet.dts is not None:
                yield packet

    def _note(self, packet: Any) -> None:
        if packet.pts is not None and packet.size and not packet.is_discard:
            self._stored += 1
            self._end = max(self._end, float((packet.pts + (packet.duration or 0)) * self.time_base))

    def _tell_what_is_missing(self) -> None:
        missing = self._stored - self._shown - len(self.faults)
        if self.faults and missing > 0:  # without damage, some formats have packets that show nothing
            self.faults.append(f"{missing} further frames cannot be decoded, since they depend on damaged ones")
        if self.length - self._end > max(ENDS_EARLY, float(4 / self.rate)):
            self.faults.append(f"the file ends at {self._end:.2f} s of {self.length:.2f} s")

    def _decoded(self, packet: Any) -> Iterator[Frame]:
        import av

        try:
            frames = self._video.decode(packet)  # type: ignore[arg-type,unused-ignore]
        except av.FFmpegError as error:
            self.faults.append(f"frame at {self._seconds(packet.pts)}: {first_line(error)}")
            return
        for frame in frames:
            if frame.is_corrupt:
                self.faults.append(f"frame at {self._seconds(frame.pts)}: is damaged")
                continue
            self._shown += 1
            yield self._upright(frame)

    def _upright(self, frame: Any) -> Frame:
        time = self._next if frame.pts is None else frame.pts
        length = frame.duration or 0
        self._next = time + (length or round(1 / (self.rate * self.time_base)))
        pixels = frame.to_ndarray(format="rgb24")
        turns = round(frame.rotation / 90) % 4  # phones store the picture as the sensor sees it
        return Frame(np.ascontiguousarray(np.rot90(pixels, turns)), time, length)

    def _seconds(self, time: int | None) -> str:
        return "an unknown time" if time is None else f"{float(time * self.time_base):.2f} s"


def _length_of(video: Any) -> float:
    """Seconds of a stream: as its format says, or as a tag of Matroska does; 0 if neither."""
    if video.duration and video.time_base:
        return float(video.duration * video.time_base)
    found = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", video.metadata.get("DURATION", "").strip("\0"))
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else 0.0
