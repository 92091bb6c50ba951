"""Checkpoint files that are cut, changed or of another kind: named, and a good one is taken if there is one."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from foveate.cli import main
from foveate.pipeline.runs import store
from foveate.pipeline.runs.checkpoint_io import AtomicCheckpointIO
from foveate.pipeline.runs.checkpoints import read_checkpoint
from foveate.pipeline.runs.integrity import fault_of
from foveate.pipeline.runs.manifest import MANIFEST, read_manifest
from foveate.pipeline.runs.store import newest_good, sweep
from foveate.tests.faults.conftest import IMAGES, Range, fault, finish, last_line, run_here, start, write_images
from foveate.tests.faults.tiny import fingerprint

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def here(range_: Range, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(range_.folder)
    for name in ("FOVEATE_RUN_DIR", "PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set, in one place for all tests here: runs name it."""
    return write_images(tmp_path_factory.mktemp("images") / "data", IMAGES)


@pytest.fixture
def range_(tmp_path: Path, images: Path) -> Range:
    """Room for runs, and the data set."""
    return Range(tmp_path, images)


@pytest.fixture
def folder(range_: Range, images: Path) -> Path:
    """The checkpoints of a training that saved after each of its four steps; it trains once, for all tests here."""
    kept = images.parent / "runs"
    if kept.exists():
        shutil.copytree(kept, range_.folder / "runs", symlinks=True)
    else:
        words = ["--checkpoints.every_steps=1", "--trainer.val_check_interval=2"]
        assert main(range_.words(*words, record=None, steps=4)) == 0
        shutil.copytree(range_.folder / "runs", kept, symlinks=True)
    return range_.run / "checkpoints"


def cut(size: int | float) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: int(size * len(content)) if isinstance(size, float) else size])

    return change


def flip(path: Path) -> None:
    """Change a bit of the largest record; between the records there is padding, where a bit means nothing."""
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as records:
        largest = records.read(max(records.infolist(), key=lambda one: one.file_size))
    content[content.find(largest) + len(largest) // 2] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "empty": (cut(0), "the file is empty"),
    "one byte": (cut(1), "not what was written"),
    "2000 bytes": (cut(2000), "cut short after 2,000 bytes"),
    "half": (cut(0.5), "cut short after"),
    "a flipped byte": (flip, "damaged"),
    "a web page": (lambda path: path.write_text("<!DOCTYPE html><html>Sign in</html>") and None, "it is a web page"),
    "a pointer": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n") and None, "Git LFS"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_last_checkpoint_gives_way_to_the_one_before(
    name: str, folder: Path, range_: Range, capsys: pytest.CaptureFixture[str]
) -> None:
    damage, said = DAMAGES[name]
    damage(folder / "last.ckpt")
    capsys.readouterr()
    assert main(["fit", "--ckpt_path=last", "--trainer.max_steps=6"]) == 0
    output = capsys.readouterr()
    assert said in output.err
    assert "going on from" in output.err
    assert "run code" not in output.err
    assert read_checkpoint(folder / "last.ckpt")["global_step"] == 6


@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_checkpoint_that_was_asked_for_is_refused(
    name: str, beside: bool, folder: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage, said = DAMAGES[name]
    path = folder / "last.ckpt"
    if not beside:
        path = Path(shutil.copy(path, tmp_path / "copied.ckpt"))
    damage(path)
    capsys.readouterr()
    assert main(["fit", f"--ckpt_path={path}", "--config=folder_segnext_t", f"--data.root={images}"]) == 4
    line = last_line(capsys.readouterr().err)
    assert str(path) in line
    if beside:
        assert said in line
        assert "a good one lies beside it: " in line
    elif name != "one byte":
        assert "damaged" in line


def test_where_every_checkpoint_is_damaged_that_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in folder.glob("*.ckpt"):
        flip(path)
    capsys.readouterr()
    assert main(["fit", "--ckpt_path=last", "--trainer.max_steps=6"]) == 4
    assert "no other checkpoint of this run is good either" in last_line(capsys.readouterr().err)


def test_time_stamps_do_not_decide_which_is_the_last(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("previous.ckpt", "best.ckpt"):
        os.utime(folder / name, (4e9, 4e9))
    os.utime(folder / "last.ckpt", (1e9, 1e9))
    capsys.readouterr()
    assert main(["fit", "--ckpt_path=last", "--trainer.max_steps=5"]) == 0
    assert "last.ckpt: step 4" in capsys.readouterr().err


def test_the_manifest_tells_step_size_and_hash(folder: Path) -> None:
    entries = read_manifest(folder)
    assert {name: listed[0].step for name, listed in entries.items()} == {
        "last.ckpt": 4,
        "previous.ckpt": 3,
        "best.ckpt": entries["best.ckpt"][0].step,
    }
    assert all((folder / name).stat().st_size == listed[0].size for name, listed in entries.items())


@pytest.mark.parametrize("stage", ["describe_file", "write_manifest", "_keep", "fault_of"])
def test_an_error_at_any_stage_of_a_save_leaves_a_good_checkpoint(
    stage: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_checkpoint(folder / "last.ckpt")

    def fails(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(store, stage, fails)
        with pytest.raises(OSError, match="No space left"):
            AtomicCheckpointIO().save_checkpoint({**before, "global_step": 99}, folder / "last.ckpt")
    good = newest_good(folder)
    assert good is not None
    assert read_checkpoint(good)["global_step"] == 4
    assert not sweep(folder)


def test_a_file_system_without_links_keeps_the_previous_one_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refused)
    content = read_checkpoint(folder / "last.ckpt")
    AtomicCheckpointIO().save_checkpoint({**content, "global_step": 5}, folder / "last.ckpt")
    assert read_checkpoint(folder / "last.ckpt")["global_step"] == 5
    assert read_checkpoint(folder / "previous.ckpt")["global_step"] == 4
    assert not [path for path in folder.glob("*.ckpt") if fault_of(path)]


def test_drafts_of_killed_processes_are_swept(folder: Path, range_: Range) -> None:
    for place in (folder, range_.run):
        (place / ".last.ckpt.tmp-4711").write_bytes(b"half")
    assert main(["fit", "--ckpt_path=last", "--trainer.max_steps=5"]) == 0
    assert not list(range_.run.rglob("*.tmp-*"))


def test_what_cannot_be_read_back_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"it holds pathlib.*save plain values and tensors"):
        AtomicCheckpointIO().save_checkpoint({"global_step": 1, "path": Path("x")}, tmp_path / "new" / "last.ckpt")
    assert not list((tmp_path / "new").iterdir())


def test_a_checkpoint_of_a_gpu_is_read_on_a_cpu(folder: Path, tmp_path: Path) -> None:
    made_elsewhere = tmp_path / "gpu.ckpt"
    with zipfile.ZipFile(folder / "last.ckpt") as source, zipfile.ZipFile(made_elsewhere, "w") as target:
        for info in source.infolist():
            data = source.read(info)
            if info.filename.endswith("data.pkl"):
                assert b"X\x03\x00\x00\x00cpu" in data
                data = data.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
            target.writestr(info, data, zipfile.ZIP_STORED)
    with pytest.raises(RuntimeError, match="CUDA"):
        torch.load(made_elsewhere, weights_only=True)
    assert fingerprint(read_checkpoint(made_elsewhere)["state_dict"]) == fingerprint(
        read_checkpoint(folder / "last.ckpt")["state_dict"]
    )


def test_a_checkpoint_of_other_classes_names_tensors_and_shapes(
    folder: Path, range_: Range, capsys: pytest.CaptureFixture[str]
) -> None:
    (range_.root / "classes.yaml").write_text("classes: [a, b, c, d]\n")
    words = [word for word in range_.words(record=None) if not word.startswith("--trainer.max_steps")]
    assert main([*words, f"--ckpt_path={folder / 'last.ckpt'}", "--trainer.max_steps=6"]) == 4
    line = last_line(capsys.readouterr().err)
    assert "network.decoder.classify.weight is [3, 24, 1, 1] in the file, [4, 24, 1, 1] in the model" in line


def test_two_runs_of_one_recipe_have_the_same_weights(range_: Range) -> None:
    ends = []
    for number in (1, 2):
        assert main(range_.words("--data.num_workers=0", record=None)) == 0
        run = range_.folder / "runs" / "folder_segnext_t" / f"{number:04d}"
        ends.append(fingerprint(read_checkpoint(run / "checkpoints" / "last.ckpt")["state_dict"]))
    assert ends[0] == ends[1]


def test_a_manifest_that_is_damaged_is_no_obstacle(folder: Path) -> None:
    (folder / MANIFEST).write_text("{")
    assert main(["fit", "--ckpt_path=last", "--trainer.max_steps=5"]) == 0
    assert read_manifest(folder)["last.ckpt"][0].step == 5


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1)])
def test_another_number_of_processes_goes_on_with_the_samples_that_are_left(
    before: int, after: int, range_: Range
) -> None:
    words = range_.words(f"--trainer.devices={before}", fault("SIGTERM", step=1, moment="fetched"), steps=50)
    code, output = run_here(range_.folder, words) if before == 1 else finish(start(range_.folder, words), 90)
    assert code == 143, output
    # In a process of its own: what was begun with two processes goes on with DDP, which would stay set up in this one.
    code, output = finish(start(range_.folder, range_.resume(f"--trainer.devices={after}", steps=9)), 90)
    assert code == 0, output
    assert f"was begun with {before} process(es)" in output
