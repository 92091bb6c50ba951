"""Full disks, too little shared memory, limits of time, and what is looked at before a training begins."""

from __future__ import annotations

import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from foveate.cli import main
from foveate.pipeline.runs.integrity import fault_of
from foveate.tests.faults.conftest import Range, environment, finish, last_line, run_here


@pytest.fixture(autouse=True)
def here(range_: Range, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(range_.folder)
    for name in ("FOVEATE_RUN_DIR", "PL_GLOBAL_SEED", "PL_SEED_WORKERS", "FOVEATE_BATCH_SIZE"):
        monkeypatch.delenv(name, raising=False)


def in_own_mounts(mount: str, words: list[str], folder: Path) -> tuple[int, str]:
    """Run the command where a mount of its own was made; skip where that is not allowed."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("needs unshare -m, which this system does not allow")
    command = ["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "sh", sys.executable, "-m", "foveate.cli", *words]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("place", ["file/runs", "/proc/nope"])
def test_a_place_that_cannot_be_written_is_found_before_anything_is_loaded(
    place: str, range_: Range, capsys: pytest.CaptureFixture[str]
) -> None:
    (range_.folder / "file").write_text("a file, not a folder")
    assert main(range_.words(f"--trainer.default_root_dir={place}", record=None)) == 2
    line = last_line(capsys.readouterr().err)
    assert f"{place}: runs cannot be written there" in line
    assert "--trainer.default_root_dir" in line


@pytest.mark.slow
def test_checkpoints_that_cannot_be_written_end_with_138_and_the_good_one_is_kept(range_: Range) -> None:
    assert run_here(range_.folder, range_.words(record=None, steps=4))[0] == 0
    folder = range_.run / "checkpoints"
    before = (folder / "last.ckpt").read_bytes()

    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    process = subprocess.Popen(
        [sys.executable, "-m", "foveate.cli", "fit", "--ckpt_path=last", "--trainer.max_steps=40"],
        cwd=range_.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=no_large_files,
    )
    code, output = finish(process)
    line = last_line(output)
    assert code == 138, output
    assert line.startswith("foveate: ERROR machine: 3 checkpoints in a row could not be written"), line
    assert output.count("a checkpoint cannot be written") == 1
    assert f"{folder / 'last.ckpt'} (step 4)" in line
    assert (folder / "last.ckpt").read_bytes() == before
    assert not fault_of(folder / "best.ckpt")
    assert not list(range_.run.rglob("*.tmp-*"))
    assert run_here(range_.folder, range_.resume(steps=8))[0] == 0


@pytest.mark.slow
def test_a_disk_without_room_for_a_checkpoint_is_found_at_the_start(range_: Range) -> None:
    code, output = in_own_mounts(
        f"mkdir -p {range_.folder}/runs && mount -t tmpfs -o size=8m tmpfs {range_.folder}/runs",
        range_.words(record=None),
        range_.folder,
    )
    assert code == 138, output
    assert "are free, and a checkpoint takes about" in last_line(output)


@pytest.mark.slow
def test_too_little_shared_memory_ends_with_138_and_advice(range_: Range) -> None:
    words = range_.words("--data.crop=256x256", record=None, workers=2)
    code, output = in_own_mounts("mount -t tmpfs -o size=300k tmpfs /dev/shm", words, range_.folder)
    assert code == 138, output
    assert "reading processes may need" in output
    assert "--data.num_workers 0" in last_line(output), output


def test_a_dry_run_tells_what_a_training_takes_and_writes_nothing(
    range_: Range, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(range_.words("--dry_run", record=None, steps=1000)) == 0
    output = capsys.readouterr().out
    for pattern in (r"a step +\S+ m?s for 2 images", r"all steps .* for 1000 steps", "memory", "checkpoints"):
        assert re.search(pattern, output), output
    assert not (range_.folder / "runs").exists()


@pytest.mark.parametrize(
    ("words", "said", "kept"),
    [
        (["--data.total_batch=4"], "total batch: 4 = 1 devices x 2 x 2 accumulated", (2, 2)),
        (["--data.total_batch=2"], "total batch: 2 = 1 devices x 2 x 1 accumulated", (2, 1)),
        (["--data.total_batch=1"], "total batch: 1 = 1 devices x 1 x 1 accumulated", (1, 1)),
        (["--data.batch_size=auto", "--data.total_batch=8"], "total batch: 8 = 1 devices x 8 x 1 accumulated", (8, 1)),
    ],
)
def test_a_total_batch_decides_batch_accumulation_and_learning_rate(
    words: list[str], said: str, kept: tuple[int, int], range_: Range, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(range_.words(*words, record=None, steps=2)) == 0
    output = capsys.readouterr().err
    assert said in output
    assert "learning rate: 0.001" in output  # the user gave one
    recipe = (range_.run / "recipe.yaml").read_text()
    assert f"    batch_size: {kept[0]}\n" in recipe
    assert f"  accumulate_grad_batches: {kept[1]}\n" in recipe


def test_the_largest_batch_is_at_most_the_data(range_: Range, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(range_.words("--data.batch_size=auto", record=None, steps=1)) == 0
    assert "batch size: 10 per device" in capsys.readouterr().err


def test_early_stopping_ends_a_training_and_goes_on_counting(range_: Range, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--early_stop=2", "--model.optimizer.lr=1e-12", "--trainer.val_check_interval=1"]
    assert main(range_.words(*words, record=None, steps=50)) == 0
    assert "early stopping: val/miou did not improve in 2 validations" in capsys.readouterr().out
    step = torch.load(range_.run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert step < 50


@pytest.mark.slow
def test_a_time_limit_ends_a_training_with_a_checkpoint(range_: Range) -> None:
    code, output = run_here(range_.folder, range_.words("--trainer.max_time=00:00:00:02", steps=10**6))
    assert code == 0, output
    assert "max_time is over" in output
    assert not fault_of(range_.run / "checkpoints" / "last.ckpt")


@pytest.mark.slow
def test_a_closed_pipe_is_no_bug(range_: Range) -> None:
    words = " ".join(range_.words(record=None, steps=200))
    command = f"{sys.executable} -m foveate.cli {words} | head -1; exit ${{PIPESTATUS[0]}}"
    process = subprocess.Popen(["bash", "-c", command], cwd=range_.folder, env=environment(), start_new_session=True)
    try:
        assert process.wait(60) in (0, 141)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
