"""Videos in, videos out: as many frames, at their times, with their audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="the extra video is not installed")

from foveate.datasets.labels import CAMVID
from foveate.pipeline.errors import ConfigError, UnusableDataError
from foveate.pipeline.predictor import Segmentation
from foveate.pipeline.video.labelling import VideoOptions, label_video
from foveate.tests.pipeline.video.clips import content_of, damage, make_clip

BOTH = VideoOptions(outputs=("overlay", "labels"), batch=3)
IDS = replace(CAMVID, ids=tuple(range(100, 111)))


class Brightness:
    """A network without weights; it remembers what it was given."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.seen: list[int] = []

    def __call__(self, images: Sequence[np.ndarray]) -> list[Segmentation]:
        self.batches.append(len(images))
        self.seen += [int(np.median(image)) for image in images]
        return [
            Segmentation(
                name="frame",
                image=image,
                labels=(image[..., 0] // 24).astype(np.uint8),
                confidence=np.ones(image.shape[:2], np.float32),
                label_set=IDS,
            )
            for image in images
        ]


def test_frames_times_and_audio_stay(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4")
    given = content_of(clip)
    network = Brightness()
    done = label_video(clip, tmp_path / "out", network, BOTH)
    assert (done.frames, done.faults, network.batches) == (20, [], [3] * 6 + [2])
    assert done.files == {"overlay": tmp_path / "out/overlays/clip.mp4", "labels": tmp_path / "out/labels/clip.mkv"}
    overlays, labels = content_of(done.files["overlay"]), content_of(done.files["labels"], "gray")
    assert overlays.codecs == ["h264", "aac"]
    assert labels.codecs == ["ffv1", "aac"]
    assert overlays.times == given.times
    assert labels.times == pytest.approx(given.times, abs=0.001)
    assert overlays.audio == labels.audio == given.audio
    assert len(given.audio) > 25
    for number, (picture, ids, shown) in enumerate(
        zip(given.pictures, labels.pictures, overlays.pictures, strict=True)
    ):
        train_ids = picture[..., 0] // 24
        assert np.array_equal(ids, train_ids + 100), number
        expected = np.asarray(network([picture])[0].overlay())
        assert np.abs(shown.astype(int) - expected).mean() < 4, number
    assert [path.name for path in (tmp_path / "out").rglob(".*")] == []


def test_only_every_nth_frame_goes_through_the_network(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", audio=False)
    network = Brightness()
    done = label_video(clip, tmp_path, network, VideoOptions(outputs=("labels",), every=4, batch=2))
    ids = [int(np.median(picture)) - 100 for picture in content_of(done.files["labels"], "gray").pictures]
    assert (done.frames, sum(network.batches)) == (20, 5)
    assert ids == [brightness // 24 for brightness in network.seen for _ in range(4)]


def test_a_damaged_frame_is_left_out_and_told(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4")
    given = content_of(clip)
    damage(clip, 9)
    done = label_video(clip, tmp_path, Brightness(), BOTH)
    assert done.frames == 19
    (told,) = done.faults
    assert told.startswith("frame at 0.30 s: ")
    found = content_of(done.files["overlay"])
    assert found.times == given.times[:9] + given.times[10:]
    assert found.audio == given.audio


def test_frames_that_depend_on_a_damaged_one_are_counted(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4")
    damage(clip, 8)  # complete in itself; the next three are not
    done = label_video(clip, tmp_path, Brightness(), BOTH)
    lost = 20 - done.frames
    assert 1 <= lost <= 4
    assert done.faults[0].startswith("frame at 0.27 s: ")
    if lost > 1:
        assert done.faults[-1] == f"{lost - 1} further frames cannot be decoded, since they depend on damaged ones"


def test_a_file_that_ends_early_keeps_what_can_be_read(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mkv")
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    done = label_video(clip, tmp_path / "out", Brightness(), BOTH)
    assert 0 < done.frames < 20
    assert len(content_of(done.files["labels"]).times) == done.frames
    assert done.faults[-1].startswith("the file ends at 0.")
    assert done.faults[-1].endswith(" s of 0.67 s")


@pytest.mark.parametrize(
    ("ending", "codec", "layout", "written"), [(".mkv", "flac", "s16", ".mp4"), (".avi", "pcm_s16le", "s16", ".mkv")]
)
def test_odd_sizes_and_other_audio(tmp_path: Path, ending: str, codec: str, layout: str, written: str) -> None:
    clip = make_clip(tmp_path / f"clip{ending}", size=(47, 63), codec=codec, layout=layout, pix_fmt="yuv444p")
    done = label_video(clip, tmp_path / "out", Brightness(), BOTH)
    found = content_of(done.files["overlay"])
    assert done.files["overlay"].suffix == written
    assert (len(found.times), found.pictures[0].shape, found.codecs[1]) == (20, (47, 63, 3), codec)
    assert found.audio == content_of(clip).audio


def test_an_interruption_leaves_nothing_behind(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4")
    calls = []

    def stops(images: Sequence[np.ndarray]) -> list[Segmentation]:
        calls.append(len(images))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return Brightness()(images)

    with pytest.raises(KeyboardInterrupt):
        label_video(clip, tmp_path / "out", stops, BOTH)
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_what_is_no_video_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video at all" * 100)
    for path in (tmp_path / "a.mp4", tmp_path / "missing.mp4"):
        with pytest.raises(UnusableDataError, match=r"\.mp4: cannot be read as a video"):
            label_video(path, tmp_path / "out", Brightness(), BOTH)
    with pytest.raises(ConfigError, match="at least 1, not 0 and 1"):
        VideoOptions(every=0)
