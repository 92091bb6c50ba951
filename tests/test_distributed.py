"""Two processes on one CPU: one run, and the same counts as one process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from foveate.tests.faults.conftest import run_here

pytestmark = pytest.mark.slow

SMALL = [
    "--data.batch_size=2",
    "--data.num_workers=0",
    "--data.crop=[32,32]",
    "--trainer.val_check_interval=2",
    "--trainer.log_every_n_steps=1",
    "--trainer.accelerator=cpu",
]


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "WANDB_MODE": "offline"}
    for name in ("FOVEATE_RUN_DIR", "PL_GLOBAL_SEED", "LOCAL_RANK"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "foveate.cli", *words]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores Ctrl-C
    )


def run(folder: Path, *words: str) -> str:
    process = start(folder, *words)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    return output


def fit(folder: Path, root: Path, *words: str) -> str:
    return run(folder, "fit", "--config", "synthetic_segnext_t", "--data.root", str(root), *SMALL, *words)


def counts(folder: Path, name: str) -> Any:
    return json.loads((folder / "runs" / "latest" / name).read_text())["confusion"]


@pytest.fixture
def five_images(cityscapes_root: Path) -> Path:
    """A val split that two processes cannot share out evenly."""
    for kind, suffix in (("leftImg8bit", "leftImg8bit"), ("gtFine", "gtFine_labelIds")):
        for number in (3, 4):
            folder = cityscapes_root / kind / "val" / "frankfurt"
            with Image.open(folder / f"frankfurt_000000_000019_{suffix}.png") as image:
                image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(
                    folder / f"frankfurt_00000{number}_000019_{suffix}.png"
                )
    return cityscapes_root


def test_counts_and_the_record_of_two_processes_are_those_of_one(five_images: Path, tmp_path: Path) -> None:
    void = five_images / "gtFine" / "val" / "frankfurt" / "frankfurt_000000_000019_gtFine_labelIds.png"
    with Image.open(void) as image:
        image.point(lambda value: 0).save(void)  # an image that is void altogether is no blank
    fit(tmp_path, five_images, "--trainer.max_steps=2", "--trainer.devices=2")
    inside = counts(tmp_path, "val-best.json")
    assert sum(map(sum, inside)) == 5 * 64 * 128 - void_pixels(five_images)
    code, output = run_here(tmp_path, ["validate", "--ckpt_path=last", "--trainer.devices=1"])
    assert code == 0, output
    assert counts(tmp_path, "val-last.json") == inside  # the one checkpoint is the best and the last
    for devices in ("1", "2"):
        words = ["validate", "--ckpt_path=best", f"--per_image={devices}.csv", "--data.eval_batch_size=2"]
        run(tmp_path, *words, f"--trainer.devices={devices}")
        assert counts(tmp_path, "val-best.json") == inside
    alone, together, own = (
        (tmp_path / name).read_text() for name in ("1.csv", "2.csv", "runs/latest/val-best-images.csv")
    )
    assert len(alone.splitlines()) == 1 + 5
    assert alone == together == own
    scores = json.loads((tmp_path / "runs" / "latest" / "val-best.json").read_text())
    assert scores["interval"]["count"] == 5


def void_pixels(root: Path) -> int:
    void = 0
    for path in (root / "gtFine" / "val").rglob("*labelIds.png"):
        with Image.open(path) as image:
            void += sum(count for count, value in image.getcolors() or [] if value in (0, 4))
    return void


def test_two_processes_make_one_run_and_one_log(cityscapes_root: Path, tmp_path: Path) -> None:
    output = fit(tmp_path, cityscapes_root, "--trainer.max_steps=2", "--trainer.devices=2", "--trainer.logger=wandb")
    assert len(list((tmp_path / "runs" / "synthetic_segnext_t").glob("0*"))) == 1
    assert len(list((tmp_path / "runs" / "latest" / "wandb").glob("offline-run-*"))) == 1
    assert output.count("run directory") == 1
    assert "arning" not in output
    assert "recommended" not in output
    assert "distributed" not in output


def test_two_processes_keep_the_start_of_a_training_without_a_step(cityscapes_root: Path, tmp_path: Path) -> None:
    fit(tmp_path, cityscapes_root, "--trainer.max_steps=0", "--trainer.devices=2")
    inside = counts(tmp_path, "val-last.json")
    run(tmp_path, "validate", "--ckpt_path", "last")
    assert counts(tmp_path, "val-last.json") == inside


def test_two_processes_pack_a_set_once_and_learn_from_it(cityscapes_root: Path, tmp_path: Path) -> None:
    output = fit(tmp_path, cityscapes_root, "--trainer.max_steps=2", "--trainer.devices=2", "--data.cache=packed")
    assert output.count("packing 6 of 6 train images") == 1
    assert len(list((cityscapes_root / ".foveate").glob("packed-train-*/*.rgbm"))) == 6
    assert not list((cityscapes_root / ".foveate").rglob("*.partial.*"))


def test_one_image_for_two_processes_ends(cityscapes_root: Path, tmp_path: Path) -> None:
    for path in sorted((cityscapes_root).glob("*/val/*/*_00000[12]_*.png")):
        path.unlink()
    fit(tmp_path, cityscapes_root, "--trainer.max_steps=2", "--trainer.devices=2")
    inside = counts(tmp_path, "val-last.json")
    run(tmp_path, "validate", "--ckpt_path", "last")  # in two processes, as in the training
    assert counts(tmp_path, "val-last.json") == inside


def test_ctrl_c_ends_with_130_and_a_checkpoint_that_goes_on(cityscapes_root: Path, tmp_path: Path) -> None:
    words = ["--config", "synthetic_segnext_t", "--data.root", str(cityscapes_root), *SMALL, "--trainer.max_steps=5000"]
    process = start(tmp_path, "fit", *words)
    checkpoint = tmp_path / "runs" / "latest" / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 120
    while not checkpoint.is_file() and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    last = output.strip().splitlines()[-1]
    assert last.startswith("foveate: ERROR interrupted")
    assert "resume: foveate fit --ckpt_path" in last
    step = int(last.split("(step ")[1].split(")")[0])
    code, output = run_here(tmp_path, ["fit", "--ckpt_path=last", f"--trainer.max_steps={step + 2}"])
    assert code == 0, output
