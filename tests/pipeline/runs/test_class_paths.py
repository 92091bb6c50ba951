"""Which classes recipes and flags may name, and where moved ones went."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from foveate.cli import main
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.class_paths import MOVED, check_class_paths, rename_moved
from foveate.pipeline.runs.recipes import find_recipe, read_recipe

# A training of two steps on scikit-learn's digits, and one that writes nothing
RUN = [
    *("--config", "digits_vit_ti", "--trainer.accelerator", "cpu", "--trainer.max_steps", "2"),
    *("--trainer.val_check_interval", "2", "--trainer.limit_val_batches", "1"),
    *("--data.num_workers", "0", "--data.batch_size", "8"),
]
TRIAL = [*RUN, "--trainer.fast_dev_run", "1"]

LAMBDA = "lightning.pytorch.callbacks.LambdaCallback"
ELSEWHERE = "class_path 'marker_module.Thing' is refused"


@pytest.fixture(autouse=True)
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module that can be imported and leaves a file when it is; the file must not be there at the end."""
    mark = tmp_path / "imported"
    text = f"open({str(mark)!r}, 'w').close()\nimport lightning.pytorch as L\nclass Thing(L.Callback): pass\n"
    (tmp_path / "marker_module.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield mark
    assert not mark.exists()


@pytest.mark.parametrize(
    "flags",
    [
        ["--trainer.callbacks", "marker_module.Thing"],
        ["--trainer.callbacks+", "marker_module.Thing"],
        ["--trainer.callbacks+={class_path: marker_module.Thing}"],
        ["--trainer.callbacks.class_path", "marker_module.Thing"],
        ["--trainer.callbacks", "[{class_path: marker_module.Thing}]"],
        ["--trainer.callbacks", '["marker_module.Thing"]'],
        ["--trainer.callbacks", '[{"class_path": "marker_module.Thing"}]'],
        ["--trainer.callbacks", "listed.yaml"],
        ["--trainer.callbacks+", "one.yaml"],
        ["--trainer", "{callbacks: [{class_path: marker_module.Thing}]}"],
        ["--trainer.callbacks", f"[{{class_path: {LAMBDA}, init_args: {{on_fit_start: marker_module.Thing}}}}]"],
        ["--trainer.callbacks+", "LambdaCallback", "--trainer.callbacks.on_fit_start", "marker_module.Thing"],
        ["--trainer.logger", "[{class_path: marker_module.Thing}]"],
        ["--trainer.strategy", "marker_module.Thing"],
        ["--trainer.plugins+", "marker_module.Thing"],
        ["--model.class_path", "marker_module.Thing"],
        ["--data", "{class_path: marker_module.Thing}"],
        ["--model.help", "marker_module.Thing"],
    ],
    ids=lambda flags: " ".join(flags),
)
def test_a_class_from_elsewhere_is_refused_in_every_form_of_a_flag(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "listed.yaml").write_text("[{class_path: marker_module.Thing}]")
    (tmp_path / "one.yaml").write_text("class_path: marker_module.Thing")
    assert main(["fit", *TRIAL, *flags]) == 2
    error = capsys.readouterr().err.strip()
    assert ELSEWHERE in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("hidden", ["timer.os.system", "LambdaCallback.os.system"])
def test_what_an_allowed_module_imports_is_refused(hidden: str, capsys: pytest.CaptureFixture[str]) -> None:
    callback = f"[{{class_path: {LAMBDA}, init_args: {{on_fit_start: lightning.pytorch.callbacks.{hidden}}}}}]"
    assert main(["fit", *TRIAL, "--trainer.callbacks", callback]) == 2
    assert "ERROR config" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
@pytest.mark.parametrize("callback", ["marker_module.Thing", {"class_path": "marker_module.Thing"}])
def test_a_checkpoint_imports_no_class_of_its_recipe(
    command: str, callback: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = read_recipe(find_recipe("digits_vit_ti"))
    recipe["trainer"]["callbacks"] = [callback]
    recipe["plugins"] = [{"module": "marker_module", "file": str(tmp_path / "marker_module.py")}]
    labels = {"name": "x", "names": ["a", "b"]}
    content = {"state_dict": {}, "foveate_recipe": recipe, "hyper_parameters": {"labels": labels}}
    torch.save(content, tmp_path / "given.ckpt")
    (tmp_path / "photos").mkdir()
    more = ["--data.images", "photos"] if command == "predict" else []
    code = main([command, "--ckpt_path", "given.ckpt", *more])
    assert code in (2, 3, 4)  # prediction leaves the callbacks of a training away, and finds no images or other weights
    assert "bug" not in capsys.readouterr().err


def test_a_class_of_a_module_that_was_given_is_allowed() -> None:
    recipe = {"data": {"class_path": "my_data.MyData"}}
    check_class_paths(recipe, ["my_data"])
    with pytest.raises(ConfigError, match="add --plugins my_data"):
        check_class_paths(recipe, ["my"])


@pytest.mark.parametrize("module", ["foveate.evil.Thing", "foveatex.Thing", "lightning.pytorchx.Thing", "torch.load"])
def test_a_name_that_only_begins_like_ours_is_refused(module: str) -> None:
    with pytest.raises(ConfigError, match="refused"):
        check_class_paths({"class_path": module})


@pytest.mark.parametrize("old", MOVED)
def test_a_moved_module_is_named_by_where_it_is_today(old: str) -> None:
    importlib.import_module(MOVED[old])
    renamed = rename_moved({"trainer": {"callbacks": [{"class_path": f"{old}.Thing", "init_args": {"x": 1}}]}})
    assert renamed == {"trainer": {"callbacks": [{"class_path": f"{MOVED[old]}.Thing", "init_args": {"x": 1}}]}}


def test_a_recipe_of_before_the_moves_still_works() -> None:
    callback = "{class_path: foveate.pipeline.callbacks.averaging.EmaWeights, init_args: {decay: 0.9}}"
    Path("old.yaml").write_text(f"trainer: {{callbacks: [{callback}]}}")
    assert main(["fit", *TRIAL, "--config", "old.yaml"]) == 0
