"""Packing folders of images into shards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.shards.format import ChunkReader, Sample, read_json
from foveate.datasets.shards.writing import write_shards
from foveate.pipeline.commands.data import COMMANDS

Content = dict[str, tuple[bytes, int]]


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Noisy train and val images of two classes."""
    for split, count in (("train", 12), ("val", 3)):
        for number in range(count):
            path = tmp_path / "folders" / split / ("cat", "dog")[number % 2] / f"bild {number} é.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.random.default_rng(number).integers(0, 256, (5, 4, 3), dtype=np.uint8)).save(path)
    return tmp_path / "folders"


def originals(split: Path) -> Content:
    classes = sorted(path.name for path in split.iterdir())
    return {
        str(path.relative_to(split)): (path.read_bytes(), classes.index(path.parent.name)) for path in split.glob("*/*")
    }


def packed(out: Path) -> Content:
    samples: list[Sample] = []
    for entry in read_json(out / "index.json")["chunks"]:
        reader = ChunkReader(out / entry["filename"], size=entry["chunk_bytes"], count=entry["chunk_size"])
        samples += [reader[index] for index in range(entry["chunk_size"])]
    assert len({sample.path for sample in samples}) == len(samples)
    return {sample.path: (sample.image, sample.label) for sample in samples}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def stop_at(count: int) -> Callable[[str, int, int], None]:
    """Interrupts when so many images are done, as Ctrl-C would."""

    def progress(split: str, done: int, total: int) -> None:
        if done >= count:
            raise KeyboardInterrupt

    return progress


def test_shards_hold_the_files_as_they_were(folders: Path, tmp_path: Path) -> None:
    assert write_shards(folders, tmp_path / "out", shard_bytes=400) == {"train": 12, "val": 3}
    for split in ("train", "val"):
        assert packed(tmp_path / "out" / split) == originals(folders / split)
        assert read_json(tmp_path / "out" / split / "classes.json")["classes"] == ["cat", "dog"]
    assert len(list((tmp_path / "out/train").glob("chunk-*"))) > 2


def unreachable(*args: object, **kwargs: object) -> None:
    raise requests.exceptions.ConnectionError


def test_litdatas_own_reader_takes_the_shards(folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    litdata = pytest.importorskip("litdata")
    monkeypatch.setattr(requests, "get", unreachable)  # it asks for a newer version of itself, and warns
    write_shards(folders / "train", tmp_path / "out", shard_bytes=400)
    dataset = litdata.StreamingDataset(str(tmp_path / "out"))
    read = {item["path"]: (bytes(item["image"]), item["label"]) for item in (dataset[n] for n in range(len(dataset)))}
    assert read == originals(folders / "train")


def test_an_interrupted_run_goes_on_to_the_same_bytes(
    folders: Path, tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    write_shards(folders / "train", tmp_path / "whole", shard_bytes=400)
    with pytest.raises(KeyboardInterrupt):
        write_shards(folders / "train", tmp_path / "half", shard_bytes=400, progress=stop_at(7))
    begun = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "half").glob("chunk-*")}
    write_shards(folders / "train", tmp_path / "half", shard_bytes=400)
    assert f"continuing after {len(begun)} finished shards" in said.text
    assert files(tmp_path / "half") == files(tmp_path / "whole")
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "half").glob("chunk-*")}.items() >= begun.items()


def test_an_interrupted_run_of_changed_images_starts_anew(
    folders: Path, tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_shards(folders / "train", tmp_path / "out", shard_bytes=400, progress=stop_at(7))
    next((folders / "train/cat").iterdir()).unlink()
    write_shards(folders / "train", tmp_path / "out", shard_bytes=400)
    assert "starting again" in said.text
    assert packed(tmp_path / "out") == originals(folders / "train")


def test_finished_shards_are_left_alone(folders: Path, tmp_path: Path) -> None:
    write_shards(folders, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    assert write_shards(folders, tmp_path / "out") == {"train": 12, "val": 3}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before
    next((folders / "train/cat").iterdir()).unlink()
    with pytest.raises(DataError, match="finished shards of other images"):
        write_shards(folders, tmp_path / "out")


def test_damaged_images_are_named_together(folders: Path, tmp_path: Path) -> None:
    for number in (2, 5):
        path = next(folders.glob(f"train/*/bild {number} é.png"))
        path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"2 damaged images so far: .*bild .*bild .*foveate data check"):
        write_shards(folders, tmp_path / "out")


def test_a_folder_with_something_else_in_it_is_refused(folders: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").touch()
    with pytest.raises(DataError, match="out is not empty, and holds no shards"):
        write_shards(folders / "train", tmp_path / "out")


def test_shards_inside_their_source_are_refused(folders: Path) -> None:
    with pytest.raises(DataConfigError, match="would be taken for a class"):
        write_shards(folders, folders / "shards")


def test_the_command_says_what_it_packed(folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    COMMANDS["shard"](str(folders), str(tmp_path / "out"))
    assert "12 train, 3 val images in shards in" in capsys.readouterr().out
    with pytest.raises(DataConfigError, match="1 to 4000 megabytes, not 0"):
        COMMANDS["shard"](str(folders), str(tmp_path / "out"), size_mb=0)
