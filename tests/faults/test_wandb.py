"""Whatever happens to W&B: the same weights, every metric in metrics.csv, and an end in bounded time."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from foveate.pipeline.loggers.csv import read_log
from foveate.tests.faults.conftest import Range, fault, finish, last_line, new_range, start

pytestmark = pytest.mark.slow
WANDB = ["--trainer.logger=wandb"]
STEPS = 12
WANDB_COMMAND = Path(sys.executable).with_name("wandb")
KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who never logged in to W&B."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)


def around(range_: Range, **more: str) -> dict[str, str]:
    """Variables that keep all of W&B's files in the test's folder."""
    return {
        "NETRC": str(range_.folder / "no-netrc"),
        "WANDB_DATA_DIR": str(range_.folder / "wandb-data"),
        "WANDB_CONFIG_DIR": str(range_.folder / "wandb-config"),
        "WANDB_CACHE_DIR": str(range_.folder / "wandb-cache"),
        "WANDB_ERROR_REPORTING": "false",
        **more,
    }


def train(range_: Range, words: list[str], timeout: float = 90, **more: str) -> tuple[int, str]:
    return finish(start(range_.folder, words, **around(range_, **more)), timeout)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a training without W&B records, of the images that every test has."""
    folder = tmp_path_factory.mktemp("plain")
    range_ = new_range(folder)
    code, output = train(range_, range_.words())
    assert code == 0, output
    return range_.recorded()


def is_complete(range_: Range, plain: list[str]) -> None:
    """The weights are those of a training without W&B, and metrics.csv has every step and validation."""
    assert range_.recorded() == plain
    rows = read_log(range_.run / "metrics.csv")
    assert {int(row["step"]) for row in rows if row["train/loss"]} == set(range(1, STEPS + 1))
    assert {int(row["step"]) for row in rows if row["val/miou"]} == {4, 8, 12}


def records(run: Path) -> list[dict[str, Any]]:
    """The records of the W&B runs in a folder, by W&B's own reader."""
    found = []
    for folder in sorted((run / "wandb").glob("offline-run-*")):
        said = subprocess.run(
            [WANDB_COMMAND, "leet", "inspect", "--json", folder], capture_output=True, text=True, check=True
        )
        found += [json.loads(line) for line in said.stdout.splitlines()]
    return found


def of_kind(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [record[kind] for record in found if record["type"] == kind]


def test_without_a_key_the_training_is_the_same(range_: Range, plain: list[str]) -> None:
    code, output = train(range_, range_.words(*WANDB))
    assert code == 0, output
    assert "no W&B API key found (wandb login): logging offline" in output
    assert f"wandb sync {range_.run}/wandb/offline-run-" in output
    is_complete(range_, plain)


def test_no_key_and_strict_is_an_error_before_the_training(range_: Range) -> None:
    code, output = train(range_, range_.words(*WANDB, "--trainer.logger.strict=true"))
    assert code == 2
    assert last_line(output).startswith("foveate: ERROR config: no W&B API key found (wandb login)")


def test_a_server_out_of_reach_costs_half_a_minute_and_nothing_else(range_: Range, plain: list[str]) -> None:
    began = time.monotonic()
    code, output = train(range_, range_.words(*WANDB), WANDB_API_KEY=KEY, WANDB_BASE_URL="http://127.0.0.1:9")
    assert code == 0, output
    assert time.monotonic() - began < 75
    assert "logging offline" in output
    is_complete(range_, plain)


@pytest.mark.parametrize("kind", ["kill_wandb", "stop_wandb"])
@pytest.mark.parametrize("moment", ["backward", "val"])
def test_w_and_b_s_own_process_that_is_lost_or_hangs(kind: str, moment: str, range_: Range, plain: list[str]) -> None:
    words = range_.words(*WANDB, "--trainer.logger.finish_timeout=3", fault(kind, step=5, moment=moment))
    began = time.monotonic()
    code, output = train(range_, words)
    assert code == 0, output
    assert time.monotonic() - began < 60
    assert "Traceback" not in output
    said = "W&B failed (ConnectionResetError" if kind == "kill_wandb" else "W&B did not end in 3 s; send the rest with"
    assert output.count(said) == 1, output
    is_complete(range_, plain)


def test_a_folder_that_cannot_be_written_is_told_with_the_one_that_is_used(range_: Range, plain: list[str]) -> None:
    code, output = train(range_, range_.words(*WANDB), WANDB_DIR="/proc/nope", TMPDIR=str(range_.folder))
    assert code == 0, output
    used = re.findall(r"W&B cannot write to /proc/nope: its files are in (\S+)", output)
    assert len(used) == 1, output
    assert next(Path(used[0]).glob("*.wandb")).is_file()
    is_complete(range_, plain)


@pytest.mark.skipif(shutil.which("unshare") is None or os.getuid() != 0, reason="mounts a small disk, as root")
def test_a_full_disk_under_w_and_b(range_: Range, plain: list[str]) -> None:
    small = range_.folder / "small"
    small.mkdir()
    words = [*range_.words(*WANDB, f"--trainer.logger.save_dir={small}"), "--pictures.count=2"]
    mounted = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=64k none "$0" && exec "$@"', str(small)]
    if subprocess.run([*mounted, "true"], capture_output=True).returncode:
        pytest.skip("no mounts here")
    done = subprocess.run(
        [*mounted, sys.executable, "-m", "foveate.cli", *words],
        cwd=range_.folder,
        env={**os.environ, **around(range_), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    is_complete(range_, plain)


def test_divergence_sends_an_alert_and_keeps_its_exit_code(range_: Range) -> None:
    code, output = train(range_, range_.words(*WANDB, fault("nan_loss", step=5, moment="fetched")))
    assert code == 6, output
    found = records(range_.run)
    assert [alert["title"] for alert in of_kind(found, "alert")] == ["diverged at step 5"]
    assert [record["exit_code"] for record in of_kind(found, "exit")] == [1]


def test_a_requeued_and_a_copied_training_continue_the_same_run(range_: Range, tmp_path: Path) -> None:
    code, output = train(range_, range_.words(*WANDB, fault("SIGTERM", step=5, moment="end")))
    assert code == 143, output
    ids = {record["run_id"] for record in of_kind(records(range_.run), "run")}
    copy = tmp_path / "elsewhere.ckpt"
    shutil.copy(range_.run / "checkpoints" / "last.ckpt", copy)
    code, output = train(range_, range_.resume())
    assert code == 0, output
    assert {record["run_id"] for record in of_kind(records(range_.run), "run")} == ids
    words = [word if word != "--ckpt_path=last" else f"--ckpt_path={copy}" for word in range_.resume(steps=7)]
    code, output = train(range_, [*words, f"--plugins={Path(__file__).with_name('tiny.py')}"])
    assert code == 0, output
    (other,) = [run for run in (range_.folder / "runs").glob("*/0*") if run != range_.run]
    assert {record["run_id"] for record in of_kind(records(other), "run")} == ids
    assert len(ids) == 1


def test_a_run_shows_what_vision_people_look_for(range_: Range) -> None:
    for words in (["init", "-q"], ["add", "data"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", range_.folder, *words], check=True)
    (range_.root / "classes.yaml").write_text("classes: [a, b, c] # changed\n")
    settings = ("project=streets", "group=g", "tags=[x,y]", "notes=why", "name=mine", "log_model=true")
    words = range_.words(*WANDB, *(f"--trainer.logger.{setting}" for setting in settings))
    code, output = train(range_, [*words, "--pictures.count=2"])
    assert code == 0, output
    found = records(range_.run)
    (run,) = of_kind(found, "run")
    assert (run["display_name"], run["project"], run["run_group"]) == ("mine", "streets", "g")
    assert (run["tags"], run["notes"]) == (["x", "y"], "why")
    config: dict[str, Any] = {}
    for record in of_kind(found, "config"):
        config |= record.get("update", {})
    assert config["recipe"]["model"]["init_args"]["network"] == "noisy+line"
    head = subprocess.run(["git", "-C", range_.folder, "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    assert config["git"] == {"commit": head.strip(), "dirty": True}
    assert config["data_fingerprint"]["splits"]["train"]["files"] == 20
    steps_of = keys_by_step(found)
    for key in ("val/samples._type", "val/classes.nrows", "val/IoU_of_classes_table.nrows", "val/confusion.path"):
        assert steps_of[key] == [4, 8, 12], key
    assert steps_of["report.path"] == [12]
    artifacts = {record["type"]: record for record in of_kind(found, "artifact")}
    assert set(artifacts) == {"dataset", "model", "report", "run_table"}
    assert artifacts["dataset"]["use_after_commit"] is True
    models = [record for record in of_kind(found, "artifact") if record["type"] == "model"]
    assert sorted(alias for record in models for alias in record["aliases"]) == ["best", "latest"]
    metadata = [json.loads(record["metadata"]) for record in models]
    assert all(each["step"] in (4, 8, 12) and 0 <= each["score"] <= 1 for each in metadata)
    assert [alert["title"] for alert in of_kind(found, "alert")] == ["finished"]


def keys_by_step(found: list[dict[str, Any]]) -> dict[str, list[int]]:
    """The steps at which each key was logged."""
    steps: dict[str, list[int]] = {}
    for record in of_kind(found, "history"):
        for key in record["item"]:
            steps.setdefault(key, []).append(record["item"]["trainer/global_step"])
    return steps
