"""Recipes: finding, reading and laying over each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.recipes import (
    LOGGERS,
    WANDB,
    check_class_paths,
    find_recipe,
    list_recipes,
    merge,
    read_recipe,
)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", list_recipes())
def test_a_shipped_recipe_is_complete(name: str) -> None:
    recipe = read_recipe(find_recipe(name))
    assert {"seed_everything", "model", "data", "trainer"} <= recipe.keys()
    assert recipe["trainer"].get("max_steps", 0) > 0 or recipe["trainer"]["max_epochs"] > 0
    first = find_recipe(name).read_text().splitlines()
    assert f"--config {name}" in "".join(first[:2])


def test_a_mistyped_name_gets_a_hint() -> None:
    with pytest.raises(ConfigError, match="did you mean 'camvid_segnext_t'"):
        find_recipe("camvid_segnxt_t")


def test_an_exponent_without_a_point_is_a_number(tmp_path: Path) -> None:
    assert read_recipe(write(tmp_path, "model: {lr: 1e-4}"))["model"]["lr"] == 1e-4


def test_short_words_for_loggers_are_spelled_out_in_lists_too(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, "trainer: {logger: [wandb, tensorboard, {class_path: CSVLogger}]}"))
    assert recipe["trainer"]["logger"] == [
        *({"class_path": LOGGERS[name]} for name in ("wandb", "tensorboard")),
        {"class_path": "CSVLogger"},
    ]


def test_the_short_word_for_wandb_is_spelled_out(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, "trainer: {logger: wandb}"))
    assert recipe["trainer"]["logger"] == {"class_path": WANDB}


def test_sizes_of_a_model_are_taken_as_people_write_them(tmp_path: Path) -> None:
    recipe = read_recipe(
        write(tmp_path, "model: {init_args: {inference: {size: 512x1024, stride: 384X768}, loss: 2x2}}")
    )
    assert recipe["model"]["init_args"]["inference"] == {"size": [512, 1024], "stride": [384, 768]}
    assert recipe["model"]["init_args"]["loss"] == "2x2"


@pytest.mark.parametrize("text", ["- a list", "a: [1", "", "\x00"])
def test_what_is_no_recipe_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        read_recipe(write(tmp_path, text))


@pytest.mark.parametrize("tag", ["!!python/name:os.system", "!!python/object/apply:os.system ['true']"])
def test_yaml_runs_no_code(tmp_path: Path, tag: str) -> None:
    with pytest.raises(ConfigError):
        read_recipe(write(tmp_path, f"model: {tag}"))


@pytest.mark.parametrize("path", ["os.system", "subprocess.Popen", "my_package.Task"])
def test_a_class_from_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="refused"):
        check_class_paths({"trainer": {"callbacks": [{"class_path": path}]}})


@pytest.mark.parametrize("path", ["SegmentationTask", "foveate.pipeline.segmentation.SegmentationTask"])
def test_a_class_of_ours_is_accepted(path: str) -> None:
    check_class_paths({"model": {"class_path": path}})


def test_another_class_does_not_inherit_arguments() -> None:
    below = {"data": {"class_path": "A", "init_args": {"crop": 1}}}
    assert merge([below, {"data": {"class_path": "B"}}])["data"] == {"class_path": "B"}
    assert merge([below, {"data": {"init_args": {"root": "r"}}}])["data"]["init_args"] == {"crop": 1, "root": "r"}


def test_names_with_an_index_may_stand_in_a_list_between_brackets(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("model:\n  freeze: [encoder.stages[:2], decoder]\n  other: {x: blocks[0]}\n")
    assert read_recipe(tmp_path / "a.yaml")["model"] == {
        "freeze": ["encoder.stages[:2]", "decoder"],
        "other": {"x": "blocks[0]"},
    }
