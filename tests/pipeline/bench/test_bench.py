"""What `foveate bench` measures and tells."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from foveate.cli import main
from foveate.pipeline.bench.subject import find_subject
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.measuring.modules import time_modules
from foveate.pipeline.measuring.timing import time_in_turn

TINY = ["bench", "mobilenet_v2_035", "--size", "64x96", "--num_classes", "5", "--rounds", "2", "--threads", "1"]


@pytest.mark.slow
def test_a_network_is_measured_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TINY, "--engine", "folded", "--train", "true", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    measures = json.loads((tmp_path / "bench.json").read_text())["measures"]
    assert set(measures["latencies"]) == {"folded", "training step"}
    assert measures["macs"] > 1e6
    assert all(bytes_ > 0 for bytes_ in measures["memory"].values())
    assert sum(measures["places"].values()) == pytest.approx(1)
    assert (tmp_path / "bench.md").read_text() in shown.out
    assert "training step" in shown.out
    assert "bench: round 2 of 2" in shown.err


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["--size", "64"], "a size is HEIGHTxWIDTH"),
        (["--size", "0x64"], "a size is HEIGHTxWIDTH"),
        (["--engine", "tensorrt"], "accepted: torch, folded, compile, openvino, auto, all"),
        (["--precision", "float16"], "accepted: float32, bfloat16"),
        (["--rounds", "0"], "at least 1"),
        (["--num_classes", "0"], "--num_classes is 1 to"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], cause: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TINY, *words]) == 2
    assert cause in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(("recipe", "count"), [("cityscapes_segnext_t", 19), ("digits_vit_ti", 10)])
def test_a_recipe_knows_its_classes_without_data(recipe: str, count: int) -> None:
    from foveate.cli import _import_named

    _import_named()
    subject = find_subject(recipe, None)
    assert subject.num_classes == count
    assert len(subject.build().labels) == count


def test_classes_that_only_the_data_knows_are_asked_for() -> None:
    with pytest.raises(ConfigError, match="give --num_classes N"):
        find_subject("imagenet_mscan_t", None)


def test_time_belongs_to_the_module_that_takes_it() -> None:
    class Sleepy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            time.sleep(0.03)
            return x

    network = nn.Sequential(nn.Identity(), Sleepy(), nn.Identity())
    places, kinds = time_modules(network, lambda: network(torch.ones(1)))
    assert next(iter(places)) == "1"
    assert next(iter(kinds)) == "Sleepy"


def test_works_are_timed_in_turn_and_that_is_told() -> None:
    calls: list[str] = []
    works = {name: lambda name=name: calls.append(name) for name in "AB"}  # type: ignore[misc]
    time_in_turn(works, rounds=2, tell=calls.append)
    assert calls == ["first calls", "A", "B", "round 1 of 2", "A", "B", "round 2 of 2", "A", "B"]


def test_a_step_is_measured_with_the_recipes_optimiser_and_clipping(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        "model: {class_path: SegmentationTask, init_args: {network: segnext_t, optimizer: {name: sgd, lr: 0.1}}}\n"
        "data: {class_path: CityscapesDataModule}\ntrainer: {gradient_clip_val: 0.5}\n"
    )
    subject = find_subject(str(recipe), 3)
    assert subject.build().optimizer_config.name == "sgd"
    assert subject.clipping.limit == 0.5
