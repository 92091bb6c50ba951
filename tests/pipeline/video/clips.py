"""Small videos with a tone, and what is in a video."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

RATE = Fraction(30000, 1001)
TONE = 44100  # samples a second


def make_clip(
    path: Path, *, frames: int = 20, size: tuple[int, int] = (48, 64), audio: bool = True, **more: Any
) -> Path:
    """A video whose frames are grey, each brighter than the one before, every fourth one complete in itself."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        options = {"g": "4", "bf": "0", "crf": "1"}
        video: Any = file.add_stream("libx264", rate=RATE, options=options)
        video.height, video.width = size
        video.pix_fmt = more.get("pix_fmt", "yuv420p")
        tone: Any = file.add_stream(more.get("codec", "aac"), rate=TONE) if audio else None
        for number in range(frames):
            pixels = np.full((*size, 3), 8 + number * 12, np.uint8)
            file.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        if tone is not None:
            for sound in _sounds(int(frames / RATE * TONE), more.get("layout", "fltp")):
                file.mux(tone.encode(sound))
            file.mux(tone.encode())
        file.mux(video.encode())
    return path


def _sounds(samples: int, layout: str) -> Any:
    for start in range(0, samples, 1024):
        wave = 0.2 * np.sin(2 * np.pi * 440 / TONE * np.arange(start, start + 1024))
        values = wave.astype(np.float32)[None] if layout == "fltp" else (wave * 32767).astype(np.int16)[None]
        sound = av.AudioFrame.from_ndarray(values, format=layout, layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = TONE, start, Fraction(1, TONE)
        yield sound


def damage(path: Path, number: int) -> None:
    """Overwrite a packet of the moving pictures by noise."""
    with av.open(str(path)) as file:
        packets = [(packet.pos, packet.size) for packet in file.demux(video=0) if packet.dts is not None]
    place, size = packets[number]
    content = bytearray(path.read_bytes())
    content[place + 4 : place + size] = np.random.default_rng(0).bytes(size - 4)  # the length before it stays
    path.write_bytes(content)


@dataclass
class Content:
    """What is in a video.

    Attributes:
        times: When each frame is shown, in seconds.
        pictures: The frames.
        audio: The packets of audio.
        codecs: Of the moving pictures, and of the audio.
    """

    times: list[float]
    pictures: list[np.ndarray]
    audio: list[bytes]
    codecs: list[str]


def content_of(path: Path, kind: str = "rgb24") -> Content:
    with av.open(str(path)) as file:
        frames = list(file.decode(video=0))
        codecs = [stream.codec_context.name for stream in (*file.streams.video, *file.streams.audio)]
    with av.open(str(path)) as file:
        audio = [bytes(packet) for packet in file.demux(*file.streams.audio) if packet.dts is not None]
    if "flac" not in codecs and len(codecs) == 1:
        audio = []
    return Content([float(f.time or 0) for f in frames], [f.to_ndarray(format=kind) for f in frames], audio, codecs)
