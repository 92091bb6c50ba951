"""Packed pairs: the same pixels as the files, built whole or not at all, and never older than their files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from foveate.cli import main
from foveate.datasets.camvid import CamVidDataModule
from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.errors import DataError
from foveate.datasets.files.pairs import Pair
from foveate.datasets.files.writing import draft_name
from foveate.datasets.packed import folder as packing
from foveate.datasets.packed.file import is_intact, open_packed, write_packed
from foveate.datasets.packed.folder import PackedFolder

OPTIONS: dict[str, Any] = {"crop": (32, 48), "batch_size": 2, "num_workers": 0, "seed": 5}
RNG = np.random.default_rng(0)


def module(root: Path, **options: Any) -> CityscapesDataModule:
    return CityscapesDataModule(str(root), **{**OPTIONS, "cache": "packed", **options})


def folder_of(root: Path, split: str = "val", **options: Any) -> tuple[PackedFolder, list[Pair]]:
    data = module(root, **options)
    return PackedFolder(root, split, data.reader(), data.cache_dir), data.find_pairs(split)


@pytest.mark.parametrize("sides", [(1, 1), (7, 13), (64, 33)], ids=str)
def test_a_packed_pair_is_what_was_written(tmp_path: Path, sides: tuple[int, int]) -> None:
    image, mask = RNG.integers(0, 256, (*sides, 3), dtype=np.uint8), RNG.integers(0, 256, sides, dtype=np.uint8)
    write_packed(tmp_path / "a.rgbm", image, mask, origin="here")
    assert all(map(np.array_equal, open_packed(tmp_path / "a.rgbm"), (image, mask)))
    assert is_intact(tmp_path / "a.rgbm")
    assert [path.name for path in tmp_path.iterdir()] == ["a.rgbm"]


@pytest.mark.parametrize("stage", ["train", "val"])
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # where there is one core
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_those_of_the_files(cityscapes_root: Path, stage: str, workers: int) -> None:
    plain, packed = module(cityscapes_root, cache="none"), module(cityscapes_root, num_workers=workers)
    for data in (plain, packed):
        data.setup("fit")
    loaders = [getattr(data, f"{stage}_dataloader")() for data in (plain, packed)]
    for theirs, ours in zip(*loaders, strict=True):
        assert theirs["path"] == ours["path"]
        assert torch.equal(theirs["image"], ours["image"])
        assert torch.equal(theirs["mask"], ours["mask"])


def test_a_batch_of_a_packed_set_may_be_written_to(cityscapes_root: Path) -> None:
    data = module(cityscapes_root)
    data.setup("validate")
    sample = data.val_dataloader().dataset[0]
    sample["image"].zero_()  # type: ignore[attr-defined]
    assert next(iter(data.val_dataloader()))["image"].any()


def test_a_set_of_several_sizes_is_packed(camvid_root: Path) -> None:
    for folder in ("train", "trainannot"):
        path = min((camvid_root / folder).iterdir())
        Image.open(path).crop((0, 0, 41, 29)).save(path)
    data = CamVidDataModule(str(camvid_root), **OPTIONS, cache="packed")
    data.setup("fit")
    sizes = {data._datasets["train"].read(index)[1].shape for index in range(4)}
    assert sizes == {(48, 64), (29, 41)}
    assert len(list(data.train_dataloader())) == 2


def test_what_is_packed_is_not_packed_again(cityscapes_root: Path, said: pytest.LogCaptureFixture) -> None:
    module(cityscapes_root).setup("validate")
    assert "packing 3 of 3 val images into" in said.text
    said.clear()
    module(cityscapes_root).setup("validate")
    assert "packing" not in said.text


def test_a_pair_whose_file_has_changed_is_packed_again(cityscapes_root: Path) -> None:
    module(cityscapes_root).setup("validate")
    folder, pairs = folder_of(cityscapes_root)
    Image.fromarray(np.full((64, 128, 3), 9, dtype=np.uint8)).save(pairs[1].image)
    assert folder.missing(pairs) == [pairs[1]]
    assert folder.build(pairs) == 1
    assert (folder.read(pairs[1])[0] == 9).all()


def test_other_label_files_are_packed_apart(cityscapes_root: Path) -> None:
    table = module(cityscapes_root).id_table()
    for path in (cityscapes_root / "gtFine").rglob("*_labelIds.png"):
        Image.fromarray(table[np.asarray(Image.open(path))]).save(str(path).replace("labelIds", "labelTrainIds"))
    folders = {folder_of(cityscapes_root, labels=kind)[0].folder for kind in ("labelIds", "labelTrainIds")}
    assert len(folders) == 2


def test_a_moved_data_set_keeps_what_is_packed(cityscapes_root: Path, tmp_path: Path) -> None:
    module(cityscapes_root).setup("validate")
    cityscapes_root.rename(tmp_path / "moved")
    folder, pairs = folder_of(tmp_path / "moved")
    assert not folder.missing(pairs)


def test_two_data_sets_may_share_a_folder(cityscapes_root: Path, camvid_root: Path, tmp_path: Path) -> None:
    for data in (
        module(cityscapes_root, cache_dir=str(tmp_path / "both")),
        CamVidDataModule(str(camvid_root), **OPTIONS, cache="packed", cache_dir=str(tmp_path / "both")),
    ):
        data.setup("fit")
        assert len(list(data.train_dataloader())) == (len(data._datasets["train"]) + 1) // 2
    assert len(list((tmp_path / "both").iterdir())) == 4
    assert not (cityscapes_root / ".foveate").exists()


def test_a_damaged_image_is_named_and_the_others_are_kept(cityscapes_root: Path) -> None:
    folder, pairs = folder_of(cityscapes_root)
    stored = pairs[2].image.read_bytes()
    pairs[2].image.write_bytes(stored[:500])
    with pytest.raises(DataError, match=f"{pairs[2].image.name}: cannot be read as an image"):
        folder.build(pairs)
    pairs[2].image.write_bytes(stored)
    assert folder.missing(pairs) == [pairs[2]]


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_a_packed_file_that_was_cut_short_is_packed_again(cityscapes_root: Path, keep: int) -> None:
    folder, pairs = folder_of(cityscapes_root)
    folder.build(pairs)
    path = folder.path(pairs[0])
    path.write_bytes(path.read_bytes()[:keep])
    assert folder.missing(pairs) == [pairs[0]]
    with pytest.raises(DataError, match="run foveate data pack again"):
        folder.read(pairs[0])


def test_the_command_packs_checks_and_repairs(cityscapes_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "pack", str(cityscapes_root)]) == 0
    assert "train: 6 images in " in capsys.readouterr().out
    folder, pairs = folder_of(cityscapes_root)
    path = folder.path(pairs[0])
    damaged = bytearray(path.read_bytes())
    damaged[5000] ^= 1
    path.write_bytes(damaged)
    assert main(["data", "pack", str(cityscapes_root)]) == 0
    assert "val: 3 images in " in (said := capsys.readouterr().out)
    assert "1 of them packed again since they were damaged" in said
    assert is_intact(path)
    assert np.array_equal(folder.read(pairs[0])[0], folder.reader.read(pairs[0])[0])


def test_too_small_a_disk_is_told_before_anything_is_written(
    cityscapes_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(packing.shutil, "disk_usage", lambda _: usage(10**9, 10**9, 50_000))
    folder, pairs = folder_of(cityscapes_root)
    with pytest.raises(DataError, match=r"packing 3 images takes 0.00 GB, and 0.00 GB are free; .*cache_dir"):
        folder.build(pairs)
    assert not list(folder.folder.glob("*.rgbm"))


def test_a_root_that_cannot_be_written_asks_for_another_folder(cityscapes_root: Path) -> None:
    (cityscapes_root / ".foveate").write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"cannot be written: .*; give --data.cache_dir DIR"):
        module(cityscapes_root).setup("validate")


BUILD = """
import sys, time
from pathlib import Path
from foveate.datasets.packed import folder as packing
from foveate.datasets.cityscapes import CityscapesDataModule
slow = packing.PackedFolder._pack
def pack(self, pair):
    time.sleep(float(sys.argv[2]))
    slow(self, pair)
packing.PackedFolder._pack = pack
packing.THREADS = 1
data = CityscapesDataModule(sys.argv[1], cache="packed", num_workers=0)
folder = packing.PackedFolder(Path(sys.argv[1]), "train", data.reader())
print(folder.build(data.find_pairs("train"), lambda done, total: print("done", done, flush=True)), flush=True)
"""


def builder(root: Path, pause: float) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", BUILD, str(root), str(pause)], stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_killed_build_goes_on_with_what_is_left(cityscapes_root: Path) -> None:
    process = builder(cityscapes_root, 1.0)
    assert process.stdout is not None
    for _ in range(3):  # before the first, after the first, after the second
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    folder, pairs = folder_of(cityscapes_root, "train")
    (folder.folder / f"{draft_name('left.rgbm')}{os.getpid()}").touch()
    assert 0 < len(left := folder.missing(pairs)) <= 4
    assert folder.build(pairs) == len(left)
    assert sorted(path.suffix for path in folder.folder.iterdir()) == [""] + [".rgbm"] * 6


@pytest.mark.slow
def test_of_two_processes_one_builds_and_the_other_waits(cityscapes_root: Path) -> None:
    first = builder(cityscapes_root, 0.5)
    assert first.stdout is not None
    first.stdout.readline()
    folder, pairs = folder_of(cityscapes_root, "train")
    assert folder.build(pairs) == 0
    assert first.communicate()[0].splitlines()[-1] == "6"
    assert not folder.missing(pairs)
