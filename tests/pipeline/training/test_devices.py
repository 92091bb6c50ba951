"""Devices, nodes and strategy of a trainer, as the launcher allows them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.training.devices import adapt_to_launcher, count_processes, settle_sharding

TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8"}


def trainer(**settings: Any) -> SimpleNamespace:
    return SimpleNamespace(**{"devices": "auto", "num_nodes": 1, "strategy": "auto", "accelerator": "cpu", **settings})


def test_numbers_are_those_of_the_launcher() -> None:
    settings = trainer()
    adapt_to_launcher(settings, TORCHRUN)
    assert (settings.devices, settings.num_nodes) == (4, 2)
    assert count_processes(settings) == 8


@pytest.mark.parametrize("asked", [{"devices": 4, "num_nodes": 2}, {"devices": [0, 1, 2, 3]}, {"devices": -1}])
def test_the_same_numbers_are_accepted(asked: dict[str, Any]) -> None:
    settings = trainer(**asked)
    adapt_to_launcher(settings, TORCHRUN)
    assert settings.num_nodes == 2


@pytest.mark.parametrize(("name", "number"), [("devices", 2), ("num_nodes", 3)])
def test_other_numbers_are_refused(name: str, number: int) -> None:
    with pytest.raises(ConfigError, match=f"--trainer.{name} {number}: torchrun started"):
        adapt_to_launcher(trainer(**{name: number}), TORCHRUN)


def test_without_a_launcher_nothing_changes() -> None:
    settings = trainer(devices=3)
    adapt_to_launcher(settings, {})
    assert (settings.devices, settings.num_nodes) == (3, 1)


@pytest.mark.parametrize(
    ("devices", "trains", "strategy"),
    [(2, True, "fsdp2"), ("2", True, "fsdp2"), (1, True, "auto"), ("auto", True, "auto"), (2, False, "auto")],
)
def test_weights_are_spread_where_several_processes_train(devices: object, trains: bool, strategy: str) -> None:
    settings = trainer(devices=devices, strategy="fsdp2")
    settle_sharding(settings, trains=trains)
    assert settings.strategy == strategy


def test_lightnings_own_strategy_is_refused() -> None:
    given = SimpleNamespace(class_path="lightning.pytorch.strategies.ModelParallelStrategy")
    with pytest.raises(ConfigError, match="give fsdp2 instead"):
        settle_sharding(trainer(strategy=given), trains=True)
