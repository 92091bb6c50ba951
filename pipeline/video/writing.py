"""A video that is written frame by frame, beside the audio of another one."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveate.pipeline.video.reading import Clip

IN_MP4 = ("aac", "mp3", "ac3", "eac3", "opus", "flac", "alac")  # audio that an .mp4 may hold; .mkv holds any
LOSSY = ("libx264", "libopenh264", "mpeg4")  # the first one that this build of FFmpeg has
QUALITY = {"libx264": {"crf": "20", "preset": "fast"}}
BT709 = 1  # of the colours, so that players do not have to guess


def ending_of(clip: Clip) -> str:
    """The ending of an overlay's file: `.mp4`, which every player knows, if it can hold the audio.

    Args:
        clip: The video whose audio is copied.
    """
    return ".mp4" if all(stream.codec_context.name in IN_MP4 for stream in clip.audio) else ".mkv"


class VideoWriter:
    """Writes pictures with the times, and copies the audio, of another video.

    Args:
        path: The file.
        ending: Says the format: .mp4 or .mkv.
        clip: The other video.
        first: The first picture: (H, W, 3) is written in good quality, (H, W) exactly (FFV1).
    """

    def __init__(self, path: Path, ending: str, clip: Clip, first: NDArray[Any]) -> None:
        self._container = _created(path, "mp4" if ending == ".mp4" else "matroska")
        self._format, codec, stored = _formats(first)
        rate = Fraction(clip.rate).limit_denominator(1 << 16)
        self._video: Any = self._container.add_stream(codec, rate=rate, options=QUALITY.get(codec, {}))
        self._video.height, self._video.width = first.shape[:2]
        self._video.pix_fmt = stored
        self._video.codec_context.time_base = self._time_base = clip.time_base
        if first.ndim == 3:
            context = self._video.codec_context
            context.colorspace = context.color_primaries = context.color_trc = BT709
        self._audio: dict[int, Any] = {
            stream.index: self._container.add_stream_from_template(stream) for stream in clip.audio
        }

    def write(self, picture: NDArray[Any], time: int, duration: int) -> None:
        """Write a picture.

        Args:
            picture: Of the first one's shape.
            time: When it is shown, in units of the clip's time base.
            duration: For how long; 0 if it is not known.
        """
        import av

        frame: Any = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=self._format)
        if picture.ndim == 3:
            frame = frame.reformat(format=self._video.pix_fmt, dst_colorspace=BT709)
        frame.pts, frame.time_base = time, self._time_base
        if duration:
            frame.duration = duration
        self._container.mux(self._video.encode(frame))

    def copy(self, packet: Any) -> None:
        """Copy a packet of audio, without encoding it again.

        Args:
            packet: As it was read; it is not changed.
        """
        import av

        twin: Any = av.Packet(bytes(packet))
        twin.pts, twin.dts, twin.duration = packet.pts, packet.dts, packet.duration
        twin.time_base, twin.is_keyframe = packet.time_base, packet.is_keyframe
        twin.stream = self._audio[packet.stream.index]
        self._container.mux(twin)

    def close(self, *, complete: bool) -> None:
        """Close the file.

        Args:
            complete: Write what the encoder still holds first.
        """
        if complete:
            self._container.mux(self._video.encode())
        self._container.close()


def _created(path: Path, kind: str) -> Any:
    import av

    return av.open(str(path), "w", format=kind, options={"avoid_negative_ts": "disabled"})


def _formats(first: NDArray[Any]) -> tuple[str, str, str]:
    """Format of the pictures, codec, and format of the stored pixels."""
    if first.ndim == 2:
        plain = "gray" if first.dtype == np.uint8 else "gray16le"
        return plain, "ffv1", plain
    import av

    codec = next(name for name in LOSSY if name in av.codecs_available)
    is_odd = first.shape[0] % 2 or first.shape[1] % 2
    return "rgb24", codec, "yuv444p" if is_odd and codec == "libx264" else "yuv420p"
