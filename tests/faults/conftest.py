"""The shooting range: a small data set, a small network, and short trainings of them to which things happen."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from foveate.cli import main

SECOND = "lightning.pytorch.strategies.launchers.subprocess_script._SubprocessScriptLauncher._call_children_scripts"
TINY = Path(__file__).with_name("tiny.py")
IMAGES = {"train": 10, "val": 3}
COMMON = (
    *("--config=folder_segnext_t", "--model.network=noisy+line", "--data.batch_size=2", "--data.crop=16x16"),
    *("--trainer.accelerator=cpu", "--trainer.precision=32-true", "--trainer.enable_progress_bar=false"),
    *("--trainer.check_val_every_n_epoch=null", "--trainer.val_check_interval=4", "--pictures.count=0"),
    *("--trainer.log_every_n_steps=1", "--model.schedule.warmup_steps=2", "--model.optimizer.lr=0.001"),
)


@dataclass(frozen=True)
class Range:
    """A folder in which trainings run.

    Attributes:
        folder: Its path; runs are in `runs`.
        root: The data set.
    """

    folder: Path
    root: Path

    @property
    def run(self) -> Path:
        """The directory of the first run."""
        return self.folder / "runs" / "folder_segnext_t" / "0001"

    def words(self, *more: str, record: str | None = "record.txt", steps: int = 12, workers: int = 0) -> list[str]:
        """The command line of a training."""
        recorded = [f"--trainer.callbacks={record_of(self.folder / record)}"] if record else []
        return [
            *("fit", *COMMON, f"--plugins={TINY}", f"--data.root={self.root}", f"--data.num_workers={workers}"),
            *(f"--trainer.max_steps={steps}", *recorded, *more),
        ]

    def resume(self, *more: str, record: str = "record.txt", steps: int = 12) -> list[str]:
        """The command line that goes on with a training, without the fault that ended it."""
        callbacks = f"--trainer.callbacks={record_of(self.folder / record)}"
        return ["fit", "--ckpt_path=last", f"--trainer.max_steps={steps}", callbacks, *more]

    def recorded(self, name: str = "record.txt") -> list[str]:
        """The lines that a training recorded; of steps taken twice, the later ones."""
        lines: dict[str, str] = {}
        for line in (self.folder / name).read_text().splitlines():
            key = line.rpartition(" ")[0]
            lines.pop(key, None)
            lines[key] = line
        return list(lines.values())


def record_of(path: Path) -> str:
    return f"[{{class_path: tiny.Record, init_args: {{path: {path}}}}}]"


def fault(kind: str, **settings: object) -> str:
    """The flag that plants a fault."""
    given = ", ".join(f"{name}: {value}" for name, value in {"kind": kind, **settings}.items())
    return f"--trainer.callbacks+=[{{class_path: tiny.Fault, init_args: {{{given}}}}}]"


@pytest.fixture(autouse=True)
def own_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """What --plugins loads in a test is gone after it."""
    monkeypatch.setattr("foveate.plugins.manager._installed", None)


def write_images(root: Path, counts: dict[str, int]) -> Path:
    """A data set of images of 20 x 24 with 3 classes: so many of each split."""
    rng = np.random.default_rng(5)
    for split, count in counts.items():
        for number in range(count):
            mask = np.repeat(np.repeat(rng.integers(0, 3, (5, 6), dtype=np.uint8), 4, 0), 4, 1)
            image = (mask[..., None] * 80 + rng.integers(0, 60, (20, 24, 3))).astype(np.uint8)
            for kind, array in (("images", image), ("masks", mask)):
                path = root / kind / split / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(path)
    (root / "classes.yaml").write_text("classes: [a, b, c]\n")
    return root


def new_range(folder: Path) -> Range:
    """The data set of every test, in a folder of its own."""
    return Range(folder, write_images(folder / "data", IMAGES))


@pytest.fixture
def range_(tmp_path: Path) -> Range:
    """A data set of 10 and 3 images of 20 x 24, with 3 classes, and room for runs."""
    return new_range(tmp_path)


def environment() -> dict[str, str]:
    """That of a user's shell: nothing of this test process stays."""
    left_out = ("FOVEATE_RUN_DIR", "PL_GLOBAL_SEED", "PL_SEED_WORKERS", "LOCAL_RANK", "WORLD_SIZE", "MASTER_PORT")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def start(folder: Path, words: list[str], **more: str) -> subprocess.Popen[str]:
    """Start the command in a group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "foveate.cli", *words],
        cwd=folder,
        env={**environment(), **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores Ctrl-C
    )


def finish(process: subprocess.Popen[str], timeout: float = 60) -> tuple[int, str]:
    """Exit code and output; what is left of its group after the time is killed, and the test fails."""
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        pytest.fail(f"it did not end in {timeout} s:\n{output}")
    return process.returncode, output


def run_here(folder: Path, words: list[str]) -> tuple[int, str]:
    """As `start` and `finish`, in this process, which has imported everything before: for one process that ends."""
    said = io.StringIO()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
        patch.dict(os.environ, environment(), clear=True),
        patch(SECOND, side_effect=AssertionError("a second process would start the tests again")),
        warnings.catch_warnings(record=True) as warned,  # an error in tests, and printed in a process of its own
    ):
        warnings.simplefilter("always")
        code = main(words)
    return code, "".join([*(f"{warning.message}\n" for warning in warned), said.getvalue()])


def last_line(output: str) -> str:
    """The last line that was printed."""
    return output.strip().splitlines()[-1]
