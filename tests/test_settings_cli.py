"""`foveate config`, `options` and `doctor`, and `--help TOPIC`: what a user looks up."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from foveate.cli import main
from foveate.pipeline.diagnosis.findings import Section, as_figures, as_text, without_user
from foveate.pipeline.diagnosis.versions import BAD, reason_against
from foveate.pipeline.runs.recipes import find_recipe, list_recipes, load_yaml, read_recipe


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's is read or written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    monkeypatch.setenv("COLUMNS", "100")


def printed(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """What a command prints on stdout; nothing else may be printed there or on stderr."""
    assert main(list(words)) == code
    found = capsys.readouterr()
    assert found.err == ""
    return found.out


def test_a_recipe_is_shown_with_defaults_and_flags(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("config", "show", "loveda_segnext_t", "--model.optimizer.lr", "2e-3", "--data.root", "nowhere")
    found = yaml.safe_load(printed(capsys, *words))
    assert list(found)[:4] == ["seed_everything", "model", "data", "trainer"]
    task, data = found["model"]["init_args"], found["data"]["init_args"]
    assert (task["optimizer"]["lr"], task["optimizer"]["layer_decay"]) == (0.002, 1.0)
    assert (task["ema"], data["root"], data["crop"]) == (None, "nowhere", [512, 512])
    assert not {"labels", "in_channels"} & set(task)
    assert not Path("runs").exists()


def test_a_resolved_recipe_means_the_same_as_the_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    Path("resolved.yaml").write_text(printed(capsys, "config", "show", "digits_vit_ti"))
    assert printed(capsys, "config", "diff", "digits_vit_ti", "resolved.yaml") == (
        "digits_vit_ti and resolved.yaml do not differ\n"
    )


@pytest.mark.parametrize("recipe", ["loveda_segnext_t", "digits_vit_ti"])
def test_a_template_means_the_same_as_its_recipe(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "config", "init", recipe, "--out", "mine.yaml")
    assert read_recipe(Path("mine.yaml")) == {"seed_everything": 0, **read_recipe(find_recipe(recipe))}
    text = Path("mine.yaml").read_text()
    assert "    # Learning rate of the encoder." in text or "      # Learning rate of the encoder." in text
    assert "    #ema: null" in text
    assert max(map(len, text.splitlines())) <= 120


def test_what_a_template_leaves_as_comments_are_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    """With every comment before an option taken away, the recipe still means the same."""
    text = printed(capsys, "config", "init", "camvid_segnext_t")
    live = "\n".join(_uncommented(line) for line in text.splitlines())
    Path("all.yaml").write_text(live)
    assert len(load_yaml(Path("all.yaml"))["data"]["init_args"]) > 20
    assert "do not differ" in printed(capsys, "config", "diff", "camvid_segnext_t", "all.yaml")


def _uncommented(line: str) -> str:
    return re.sub(r"^( *)#(?=\w|  )", r"\1", line)


def test_a_template_replaces_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.yaml").write_text("mine")
    assert main(["config", "init", "digits_vit_ti", "--out", "mine.yaml"]) == 2
    assert "mine.yaml exists" in capsys.readouterr().err
    assert Path("mine.yaml").read_text() == "mine"


def test_what_differs_is_told_with_both_values(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("config", "diff", "camvid_segnext_t", "ade20k_segnext_t", "--json")
    found = json.loads(printed(capsys, *words))
    assert found["schema"] == 1
    by_name = {one["name"]: (one["first"], one["second"]) for one in found["differences"]}
    assert by_name["trainer.max_steps"] == ("6000", "160000")
    assert by_name["data.short_side"] == ("null", "512")
    assert "model.network" not in by_name


def test_of_runs_the_circumstances_are_compared_too(capsys: pytest.CaptureFixture[str]) -> None:
    for name, threads in (("0001", 1), ("0002", 4)):
        run = Path("runs/digits", name)
        run.mkdir(parents=True)
        (run / "recipe.yaml").write_text(find_recipe("digits_vit_ti").read_text())
        (run / "run.json").write_text(json.dumps({"parts": [{"first_step": 0, "threads": threads, "code": "a"}]}))
    lines = printed(capsys, "config", "diff", "runs/digits/0001", "runs/digits/0002").splitlines()
    assert [line.split() for line in lines[1:]] == [["run.threads", "1", "4"]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["config", "show", "camvid_segnxt_t"], "did you mean 'camvid_segnext_t'"),
        (["config", "show", "runs/latst"], "runs/latst: no such recipe or run"),
        (["config", "show", "digits_vit_ti", "--model.optimiser.lr", "1"], "did you mean '--model.optimizer.lr'"),
        (["config", "int", "digits_vit_ti"], "did you mean 'init'"),
        (["options", "lss"], "did you mean 'loss'"),
        (["options", "loss.dise"], "did you mean 'dice'"),
        (["options", "model.optimiser.lr"], "did you mean 'model.optimizer.lr'"),
        (["options", "data.camvit"], "did you mean 'camvid'"),
        (["options", "logger.wand"], "did you mean 'wandb'"),
    ],
)
def test_a_mistake_is_one_line_with_the_nearest_name(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("topic", "lines"),
    [
        ("loss.dice", ["  smooth  number, default 0.0", "Given as --model.loss '{name: dice, smooth: 0.0}'."]),
        ("block.lka", ["  kernel  number, default 21"]),
        ("attention.lka", ["  kernel  number, default 21"]),  # as recipes call it
        (
            "model.optimizer.lr",
            ["  --model.optimizer.lr  number, default 6.0e-05", "      Learning rate of the encoder."],
        ),
        ("optimizer.sgd", ["  --model.optimizer.options.nesterov  true|false, default false"]),
        ("data.camvid", ["  --data.flip  number, default 0.5"]),
        ("trainer.max_steps", ["  --trainer.max_steps  number, default -1"]),
        ("checkpoints", ["  --checkpoints.every_minutes  number|null, default 10.0"]),
        ("decoder.light_ham", ["  rank  number, default 16"]),
    ],
)
def test_the_options_of_a_topic(topic: str, lines: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(capsys, "options", topic).splitlines()
    assert [line for line in lines if line not in shown] == []


def test_the_help_of_a_part_is_of_the_class_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(capsys, "fit", "--config", "digits_vit_ti", "--help", "data")
    assert shown.startswith("data.digits: 1797 handwritten digits")
    shown = printed(capsys, "fit", "--help", "model", "--config", "digits_vit_ti")
    assert shown.startswith("model: ClassificationTask")
    assert "--model.inference" not in shown


def test_options_fit_a_narrow_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, printed(capsys, "options", "model").splitlines())) <= 60


def test_the_doctor_tells_what_an_issue_needs_and_no_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
    found = json.loads(printed(capsys, "doctor", "--json"))
    assert found["schema"] == 1
    assert {"versions", "processor", "devices", "kernels", "disks", "plugins", "wandb", "problems"} <= set(found)
    assert found["wandb"]["API key"] == "found"
    assert "0123456789" not in json.dumps(found)
    assert any("import" in value for value in found["plugins"].values())


def test_homes_and_users_are_left_out_of_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/jane")
    monkeypatch.setenv("LOGNAME", "jane")
    text = without_user("/home/jane/runs, /scratch/jane/runs and /home/janet; jane's")
    assert text == "~/runs, /scratch/USER/runs and /home/janet; jane's"


def test_bad_versions_are_problems_with_what_to_do() -> None:
    assert "malware" in BAD["lightning"]["2.6.3"]
    assert "malware" in reason_against(Requirement("lightning>=2.6.6"), "2.6.3")
    assert reason_against(Requirement("lightning>=2.6.6,<2.7"), "2.6.6") == ""
    section = Section("versions", {"numpy": "1.0"}, [reason_against(Requirement("numpy>=2"), "1.0")])
    assert as_text([section]).splitlines()[-2:] == [
        "1 problem",
        "  - numpy 1.0 is installed, and >=2 is needed: pip install 'numpy>=2'",
    ]
    assert as_figures([section])["problems"] == section.problems


@pytest.mark.slow
@pytest.mark.parametrize("recipe", list_recipes())
def test_every_recipe_can_be_resolved_and_started_from(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "config", "init", recipe, "--out", "mine.yaml")
    assert "do not differ" in printed(capsys, "config", "diff", recipe, "mine.yaml")
