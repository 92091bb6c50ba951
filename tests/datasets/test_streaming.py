"""Shards on disk and behind a URL, and runs on them that are killed."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.shards import store
from foveate.datasets.shards.format import (
    CLASSES,
    INDEX,
    LABELS,
    ChunkReader,
    Sample,
    describe_chunk,
    pack_chunk,
    pack_sample,
)
from foveate.datasets.shards.writing import write_shards
from foveate.datasets.streaming import StreamingDataModule, shuffle_shards


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Thirty train and six val images of 6 x 6, of two classes; each is one grey."""
    for split, count in (("train", 30), ("val", 6)):
        for number in range(count):
            path = tmp_path / "folders" / split / ("cat", "dog")[number % 2] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((6, 6, 3), number, dtype=np.uint8)).save(path)
    return tmp_path / "folders"


@pytest.fixture
def root(folders: Path, tmp_path: Path) -> Path:
    """The same in shards of a few images."""
    write_shards(folders, tmp_path / "shards", shard_bytes=500)
    return tmp_path / "shards"


def module(root: Path | str, **options: Any) -> StreamingDataModule:
    settings: dict[str, Any] = {"image_size": 6, "batch_size": 4, "crop": "none", "crop_ratio": None, "flip": 0.0}
    data = StreamingDataModule(str(root), **{**settings, "num_workers": 0, "seed": 1, "window": 2, **options})
    data.setup("fit")
    return data


def greys(batches: Any) -> list[int]:
    return [int(image[0, 0, 0]) for batch in batches for image in batch["image"]]


def test_an_epoch_has_each_image_once_with_its_class_and_path(root: Path) -> None:
    batches = list(module(root).train_dataloader())
    assert sorted(greys(batches)) == list(range(30))
    for batch in batches:
        assert batch["label"].tolist() == [number % 2 for number in greys([batch])]
        assert batch["path"] == [f"train/{('cat', 'dog')[n % 2]}/{n}.png" for n in greys([batch])]


def test_classes_are_those_that_were_packed(root: Path) -> None:
    assert module(root).label_set.names == ("cat", "dog")
    assert sorted(greys(module(root).val_dataloader())) == list(range(6))


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # where there is one core
def test_workers_and_a_copy_by_pickle_change_nothing(root: Path) -> None:
    alone, helped = (list(module(root, num_workers=n).train_dataloader()) for n in (0, 2))
    assert greys(alone) == greys(helped)
    dataset = module(root)._datasets["train"]
    dataset[3]
    assert torch.equal(pickle.loads(pickle.dumps(dataset))[3]["image"], dataset[3]["image"])


def test_each_process_takes_its_own_stretch_of_the_shards() -> None:
    ends = np.arange(10, 401, 10)  # forty shards of ten
    order = shuffle_shards(ends, window=4)(0, 0)
    assert sorted(order) == list(range(400))
    shards = [set(part // 10) for part in np.array_split(order, 2)]
    assert not shards[0] & shards[1]
    assert [len(set(window // 10)) for window in np.array_split(order, 10)] == [4] * 10
    assert not np.array_equal(order, shuffle_shards(ends, window=4)(0, 1))


def test_shards_behind_a_url_pass_through_a_bounded_cache(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("litdata")
    data = module(f"local:{root}", cache=str(tmp_path / "cache"), cache_gb=1200e-9)
    assert sorted(greys(data.train_dataloader())) == list(range(30))
    kept = sorted((tmp_path / "cache").glob("*/chunk-*"), key=lambda path: path.stat().st_mtime_ns)
    assert len(list(root.glob("train/chunk-*"))) > 4
    assert 0 < sum(path.stat().st_size for path in kept if path.parent == kept[-1].parent) <= 1200
    assert data.label_set.name == "shards"


def test_shards_made_anew_behind_a_url_replace_what_the_cache_held(folders: Path, root: Path, tmp_path: Path) -> None:
    pytest.importorskip("litdata")
    options = {"cache": str(tmp_path / "cache")}
    list(module(f"local:{root}", **options).train_dataloader())
    shutil.rmtree(root)
    for number in (0, 2, 4):
        (folders / f"train/cat/{number}.png").unlink()
    write_shards(folders, root, shard_bytes=700)
    assert len(greys(module(f"local:{root}", **options).train_dataloader())) == 27


def test_without_litdata_a_url_is_refused_with_advice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "litdata", None)
    monkeypatch.setitem(sys.modules, "litdata.streaming.downloader", None)
    with pytest.raises(DataConfigError, match=r"s3://bucket/set/train/classes.json .*pip install 'foveate\[stream\]'"):
        module("s3://bucket/set", cache=str(tmp_path))


def test_a_folder_without_shards_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"classes.json: no such file; .*foveate data shard SOURCE OUT"):
        module(tmp_path)


def test_a_truncated_shard_is_named(root: Path) -> None:
    chunk = root / "train/chunk-0-0.bin"
    chunk.write_bytes(chunk.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"chunk-0-0.bin: a damaged shard: \d+ bytes where \d+ are expected"):
        list(module(root).train_dataloader())


def test_val_of_other_classes_is_refused(folders: Path, root: Path) -> None:
    (folders / "val/cat").rename(folders / "val/bird")
    shutil.rmtree(root / "val")
    write_shards(folders / "val", root / "val")
    with pytest.raises(DataError, match="val has other classes than train"):
        module(root)


COUNT = 20_001
RUN = '''
import os, sys, time
from pathlib import Path
import lightning.pytorch as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.strategies import DDPStrategy
from foveate.datasets.streaming import StreamingDataModule

root, out, name, workers = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])

class Recorder(L.LightningModule):
    """Writes down what each step learnt from."""
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
    def on_fit_start(self):
        self.file = open(out / f"{name}-{self.global_rank}.txt", "w", buffering=1)
    def training_step(self, batch, batch_idx):
        numbers = ",".join(path.rpartition("/")[2] for path in batch["path"])
        self.file.write(f"{self.global_step} {numbers}\\n")
        time.sleep(0.01 if name == "first" else 0)
        return self.layer(batch["image"][:, :1, :1, :1].float()).mean() * 0
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 1e-3)

saved = ModelCheckpoint(out, filename="last", every_n_train_steps=20, enable_version_counter=False)
trainer = L.Trainer(
    max_epochs=1, accelerator="cpu", devices=2, strategy=DDPStrategy(process_group_backend="gloo"), logger=False,
    callbacks=[saved], enable_progress_bar=False, enable_model_summary=False,
)
data = StreamingDataModule(
    str(root), image_size=2, crop="none", crop_ratio=None, batch_size=50, num_workers=workers, seed=3
)
trainer.fit(Recorder(), data, ckpt_path=sys.argv[5] if len(sys.argv) > 5 else None)
'''


def write_many(root: Path) -> None:
    """20 001 images of one pixel in shards, named by their number."""
    for split, count in (("train", COUNT), ("val", 1)):
        image = Path(root / "pixel.png")
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((1, 1, 3), dtype=np.uint8)).save(image)
        samples = [pack_sample(Sample(image.read_bytes(), number % 3, str(number))) for number in range(count)]
        (root / split).mkdir()
        entries = []
        for number, start in enumerate(range(0, count, 700)):
            name = f"chunk-0-{number}.bin"
            (root / split / name).write_bytes(pack_chunk(samples[start : start + 700]))
            entries.append(describe_chunk(name, samples[start : start + 700]))
        (root / split / INDEX).write_text(json.dumps({"chunks": entries}))
        (root / split / CLASSES).write_text('{"format": 1, "classes": ["a", "b", "c"]}')
        np.save(root / split / LABELS, np.arange(count) % 3)


def start(folder: Path, *words: str) -> list[subprocess.Popen[bytes]]:
    """Two processes of one run, as torchrun would start them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = folder / "run.py"
    script.write_text(RUN)
    return [_launch(folder, [str(script), *words], port, rank) for rank in (0, 1)]


def _launch(folder: Path, words: list[str], port: int, rank: int) -> subprocess.Popen[bytes]:
    there = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "made-up"}
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "GROUP_RANK": 0}
    environment = {**os.environ, **there, "OMP_NUM_THREADS": "1", **{k: str(v) for k, v in place.items()}}
    with (folder / f"stderr-{rank}").open("wb") as errors:
        return subprocess.Popen([sys.executable, *words], env=environment, stdout=subprocess.DEVNULL, stderr=errors)


def steps(folder: Path, name: str) -> list[tuple[int, list[int]]]:
    """Step and numbers of each batch that a run wrote down, of both processes."""
    lines = [line for rank in (0, 1) for line in (folder / f"{name}-{rank}.txt").read_text().splitlines()]
    return [(int(step), [int(n) for n in numbers.split(",")]) for step, numbers in map(str.split, lines)]


def written(folder: Path) -> int:
    """Steps that the first process of the first run wrote down."""
    file = folder / "first-0.txt"
    return len(file.read_text().splitlines()) if file.is_file() else 0


@pytest.mark.slow
def test_two_processes_killed_and_resumed_learn_from_each_of_20001_images_once(tmp_path: Path) -> None:
    write_many(tmp_path / "shards")
    words = (str(tmp_path / "shards"), str(tmp_path))
    first = start(tmp_path, *words, "first", "2")
    while written(tmp_path) < 90:
        assert first[0].poll() is None, (tmp_path / "stderr-0").read_text()[-2000:]
        time.sleep(0.05)
    for process in first:
        process.kill()
    assert [process.wait() for process in first] == [-signal.SIGKILL] * 2

    saved = tmp_path / "last.ckpt"
    reached = torch.load(saved, weights_only=True)["global_step"]
    second = start(tmp_path, *words, "second", "2", str(saved))
    assert [process.wait(400) for process in second] == [0, 0], (tmp_path / "stderr-0").read_text()[-2000:]
    history = [(s, n) for s, n in steps(tmp_path, "first") if s < reached] + steps(tmp_path, "second")
    assert 0 < reached < 200
    assert Counter(number for _, numbers in history for number in numbers) == Counter(range(COUNT))
    assert max(s for s, _ in history) == 200  # 10 001 images in batches of 50 are 201 steps, 0 to 200


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("name", ["../outside.bin", "/etc/passwd", "..\\x.bin", "C:\\x.bin", "sub/x.bin", "", None])
@pytest.mark.parametrize("url", [False, True], ids=["folder", "url"])
def test_an_index_that_names_a_file_elsewhere_reads_and_writes_none(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: bool, name: str | None
) -> None:
    rewrite(root / "train" / INDEX, lambda content: content["chunks"][0].update(filename=name))
    before = {path for path in tmp_path.rglob("*") if "cache" not in path.parts}
    monkeypatch.setattr(store, "download", lambda url, path: shutil.copy(url.removeprefix("local:"), path))
    with pytest.raises(DataError, match=r"index.json names .* which is no plain file name"):
        module(f"local:{root}" if url else root, **({"cache": str(tmp_path / "cache")} if url else {}))
    assert {path for path in tmp_path.rglob("*") if "cache" not in path.parts} == before


def test_a_store_asked_for_a_file_elsewhere_fetches_nothing(root: Path, tmp_path: Path) -> None:
    for one in (store.FolderStore(root / "train"), store.RemoteStore(f"local:{root}", tmp_path / "cache", 10)):
        with pytest.raises(DataError, match="no plain file name"):
            one.fetch("../classes.json")
    assert not (tmp_path / "cache").exists()


def test_class_names_that_are_paths_are_refused(root: Path) -> None:
    rewrite(root / "train" / CLASSES, lambda content: content.update(classes=["cat", "../../dog"]))
    with pytest.raises(DataError, match=r"train/classes.json names '../../dog'"):
        module(root)


def test_an_index_without_sizes_is_damaged(root: Path) -> None:
    rewrite(root / "train" / INDEX, lambda content: content["chunks"][0].update(chunk_size="many"))
    with pytest.raises(DataError, match=r"does not say how large chunk-0-0.bin is"):
        module(root)


def test_a_sample_whose_path_leads_elsewhere_is_refused(root: Path) -> None:
    packed = [pack_sample(Sample(b"", 0, "../../x.png"))]
    (root / "chunk-x.bin").write_bytes(pack_chunk(packed))
    about = describe_chunk("chunk-x.bin", packed)
    reader = ChunkReader(root / "chunk-x.bin", size=about["chunk_bytes"], count=1)
    with pytest.raises(DataError, match=r"chunk-x.bin names '..'"):
        _ = reader[0]


def test_going_on_replaces_a_link_and_not_the_file_it_leads_to(folders: Path, tmp_path: Path) -> None:
    (out := tmp_path / "out").mkdir()
    (other := tmp_path / "other.bin").write_text("mine")
    write_shards(folders / "train", tmp_path / "whole", shard_bytes=500)
    source = json.loads((tmp_path / "whole" / CLASSES).read_text())["source"]
    (out / "progress.json").write_text(json.dumps({"source": source, "chunks": []}))
    (out / "chunk-0-0.bin").symlink_to(other)
    write_shards(folders / "train", out, shard_bytes=500)
    assert other.read_text() == "mine"
    assert not (out / "chunk-0-0.bin").is_symlink()
