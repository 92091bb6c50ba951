"""`foveate tune`: what it finds and leaves, trials that fail, and a study that goes on after it was ended."""

from __future__ import annotations

import csv
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from foveate.cli import main
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.tuning.space import flags_of, read_space
from foveate.tests.faults.conftest import COMMON, TINY, Range, finish, new_range, range_, start  # noqa: F401  a fixture

optuna = pytest.importorskip("optuna")
STUDY = Path("studies") / "folder_segnext_t"
SPACE = """
model.optimizer.lr: {low: 1e-4, high: 1e-2, log: true}
model.schedule.name: [poly, cosine]
"""
LIMIT = 120


def words(range_: Range, space: str, *more: str, trials: int = 2, steps: int = 4) -> list[str]:  # noqa: F811
    (range_.folder / "space.yaml").write_text(space)
    common = [word for word in COMMON if "optimizer.lr" not in word and "--config" not in word]
    return [
        *("tune", "folder_segnext_t", "space.yaml", f"--trials={trials}", *common, f"--plugins={TINY}"),
        *("--model.attention=null", f"--data.root={range_.root}", "--data.num_workers=0"),
        *(f"--trainer.max_steps={steps}", *more),
    ]


def table(range_: Range) -> list[dict[str, str]]:  # noqa: F811
    with (range_.folder / STUDY / "trials.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_the_best_of_the_trials_is_told_and_its_recipe_trains(range_: Range) -> None:  # noqa: F811
    code, output = finish(start(range_.folder, words(range_, SPACE)), LIMIT)
    assert code == 0, output
    rows = table(range_)
    scores = [float(row["val/miou"]) for row in rows]
    assert len(rows) == 2
    assert scores == sorted(scores, reverse=True)
    assert f"best so far {100 * scores[0]:.1f} %" in output
    assert f"--model.optimizer.lr={rows[0]['model.optimizer.lr']}" in output.split("train the best one: ")[1]
    best = str(range_.folder / STUDY / "best.yaml")
    code, output = finish(start(range_.folder, ["fit", f"--config={best}", f"--plugins={TINY}"]), LIMIT)
    assert code == 0, output
    again = float((range_.folder / "runs" / "best" / "0001" / "val-best.json").read_text().split('"miou": ')[1][:8])
    assert again == pytest.approx(scores[0], abs=1e-4)
    code, output = finish(start(range_.folder, words(range_, SPACE, trials=3)), LIMIT)
    assert code == 0, output
    assert "trial 0:" not in output
    assert len(table(range_)) == 3


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The table of a study that nothing ended, of the images that every test has."""
    folder = tmp_path_factory.mktemp("whole")
    undisturbed = new_range(folder)
    code, output = finish(start(folder, words(undisturbed, SPACE, "--checkpoints.every_steps=1", steps=30)), LIMIT)
    assert code == 0, output
    return table(undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT", "SIGTERM"])
def test_a_study_that_was_ended_goes_on_with_its_trial_as_if_nothing_had_been(
    name: str,
    range_: Range,  # noqa: F811
    whole: list[dict[str, Any]],
) -> None:
    process = start(range_.folder, words(range_, SPACE, "--checkpoints.every_steps=1", steps=30))
    last = range_.folder / STUDY / "trials/0000/folder_segnext_t/0001/checkpoints/last.ckpt"
    deadline = time.monotonic() + 60
    while not last.is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(getattr(signal, name))
    code, output = finish(process, 40)
    assert code == {"SIGKILL": -9, "SIGINT": 130, "SIGTERM": 143}[name], output
    wait_until_gone(str(range_.folder / STUDY / "trials"))
    code, output = finish(start(range_.folder, words(range_, SPACE, "--checkpoints.every_steps=1", steps=30)), LIMIT)
    assert code == 0, output
    ended = table(range_)
    assert len(ended) == 2
    first = (range_.folder / STUDY / "trials/0000/output.txt").read_text()
    assert re.search(r"checkpoint .*0000/folder_segnext_t/0001/checkpoints/last.ckpt: step [1-9]", first), first
    for key in ("val/miou", "model.optimizer.lr", "model.schedule.name"):
        assert [row[key] for row in ended] == [row[key] for row in whole]


def wait_until_gone(folder: str) -> None:
    """Wait for the trainings below a folder to end by themselves."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if subprocess.run(["pgrep", "-f", folder], capture_output=True).returncode:
            return
        time.sleep(0.2)
    pytest.fail("a training goes on without its search")


FAILING = """
trainer.callbacks:
  - []
  - [{class_path: tiny.Fault, init_args: {kind: SIGKILL, step: 2}}]
  - [{class_path: tiny.Fault, init_args: {kind: nan_loss, step: 2}}]
"""


@pytest.mark.slow
def test_trials_that_diverge_or_are_killed_are_noted_and_the_search_goes_on(range_: Range) -> None:  # noqa: F811
    code, output = finish(start(range_.folder, words(range_, FAILING, "--seed=2", trials=5)), 200)
    assert code == 0, output
    rows = table(range_)
    assert len(rows) == 5
    causes = [row["cause"] for row in rows]
    assert any("diverged: the loss is nan" in cause for cause in causes), output
    assert "killed by SIGKILL, as when memory runs out" in causes
    assert {row["state"] for row in rows} == {"complete", "fail"}
    assert rows[0]["state"] == "complete"


@pytest.mark.slow
def test_a_search_in_which_nothing_works_ends_with_the_cause(range_: Range) -> None:  # noqa: F811
    space = "trainer.callbacks: [[{class_path: tiny.Fault, init_args: {kind: raise, step: 1}}]]\n"
    code, output = finish(start(range_.folder, words(range_, space, trials=9)), LIMIT)
    assert code == 2, output
    assert "all of 3 trials failed, the last with: bug: ValueError: planted" in output.splitlines()[-1]


@pytest.mark.slow
def test_a_training_that_is_stopped_early_keeps_its_checkpoint(range_: Range, monkeypatch: Any) -> None:  # noqa: F811
    from foveate.pipeline.tuning.child import train

    monkeypatch.chdir(range_.folder)
    line = range_.words("--trainer.default_root_dir=trial", steps=100_000, record=None)
    outcome = train(line, Path("trial"), "folder_segnext_t", "val/miou", lambda step, score: step >= 4)
    assert outcome.stopped
    assert outcome.code == 143
    assert 4 in outcome.scores
    assert outcome.run is not None
    assert (outcome.run / "checkpoints" / "last.ckpt").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("space", "said"),
    [
        ("model.optimizer.learning_rate: {low: 0.1, high: 1.0}", "learning_rate"),
        ("data.batch_size: [2, many]", "--data.batch_size many: accepted: a whole number, auto"),
    ],
)
def test_a_space_that_does_not_fit_the_recipe_is_refused_before_anything_is_trained(
    space: str,
    said: str,
    range_: Range,  # noqa: F811
    monkeypatch: Any,
    capsys: Any,
) -> None:
    monkeypatch.chdir(range_.folder)
    assert main(words(range_, space)) == 2
    assert said in capsys.readouterr().err
    assert not STUDY.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: {low: 1, high: 1}", "no range"),
        ("a: {low: 0, high: 1, log: true}", "low is above 0"),
        ("a: {low: x, high: 1}", "no range"),
        ("a: {low: 1, high: 2, log: maybe}", "log is true or false"),
        ("a: {choices: []}", "not empty"),
        ("a: {min: 1, max: 2}", "no 'min'"),
        ("a: {low: 1, high: 2, choices: [1]}", "not both"),
        ("a: 3", "neither a range nor choices"),
        ("{}", "names no option"),
    ],
)
def test_a_space_that_is_none_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_space(tmp_path / "space.yaml")


def test_what_is_tried_lies_in_the_space(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(
        "a.lr: {low: 1e-5, high: 1e-3, log: true}\n"
        "a.width: {low: 8, high: 32, step: 8}\n"
        "a.attention: {choices: [null, {gate: lka}, none]}\n"
    )
    dimensions = read_space(tmp_path / "space.yaml")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    seen = [{one.key: one.suggest(trial) for one in dimensions} for trial in (study.ask() for _ in range(30))]
    assert all(1e-5 <= values["a.lr"] <= 1e-3 for values in seen)
    assert {values["a.width"] for values in seen} == {8, 16, 24, 32}
    assert len(unique(seen)) == 3
    assert all(tried in [None, {"gate": "lka"}, "none"] for tried in unique(seen))
    assert flags_of({"a.attention": {"gate": "lka"}, "a.b": None}) == ['--a.attention={"gate": "lka"}', "--a.b=null"]


def unique(seen: list[dict[str, Any]]) -> list[Any]:
    found: list[Any] = []
    for values in seen:
        if values["a.attention"] not in found:
            found.append(values["a.attention"])
    return found


def test_a_trial_below_the_median_is_stopped() -> None:
    from foveate.pipeline.tuning.search import STARTUP, _stops

    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP))
    for score in range(STARTUP):
        trial = study.ask()
        assert not _stops(trial)(4, 0.5 + 0.01 * score)
        study.tell(trial, 0.6)
    assert _stops(study.ask())(4, 0.1)
    assert not _stops(study.ask())(4, 0.9)


def test_without_optuna_the_package_is_named(monkeypatch: Any, tmp_path: Path, capsys: Any) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "foveate.pipeline.tuning.search", raising=False)
    (tmp_path / "space.yaml").write_text(SPACE)
    assert main(["tune", "folder_segnext_t", str(tmp_path / "space.yaml")]) == 2
    assert "pip install 'foveate[tune]'" in capsys.readouterr().err


def test_other_settings_in_the_same_folder_are_refused(tmp_path: Path) -> None:
    from foveate.pipeline.settings_file import settle

    settle(tmp_path, {"seed": 0}, "a study")
    settle(tmp_path, {"seed": 0}, "a study")
    with pytest.raises(ConfigError, match=r"holds a study with other settings \(seed 0 there, 1 here"):
        settle(tmp_path, {"seed": 1}, "a study")
