"""Flags before they are parsed."""

from __future__ import annotations

import pytest

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.training.flags import spell_out_flags, take_option


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["--data.crop", "256x320"], ["--data.crop", "[256,320]"]),
        (["--data.crop=256x320"], ["--data.crop=[256,320]"]),
        (["--model.inference.size", "64x64"], ["--model.inference.size", "[64,64]"]),
        (["--model.network", "3x3"], ["--model.network", "3x3"]),
        (
            ["--trainer.callbacks", "foveate.pipeline.callbacks.averaging.EmaWeights"],
            ["--trainer.callbacks", "foveate.pipeline.averaging.EmaWeights"],
        ),
        (
            ["--trainer.check_val_every_n_epoch", "1"],
            ["--trainer.check_val_every_n_epoch", "1", "--trainer.val_check_interval=1.0"],
        ),
    ],
)
def test_short_forms_are_spelled_out(given: list[str], wanted: list[str]) -> None:
    assert spell_out_flags(given) == wanted


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--trainer.logger", "wand"], "did you mean 'wandb'"),
        (["--data", "Cityscapes"], "did you mean 'cityscapes'"),
        (["--model", "os.system"], "refused"),
        (["--trainer.callbacks+={class_path: os.system}"], "refused"),
    ],
)
def test_a_mistake_in_a_flag_is_told(given: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        spell_out_flags(given)


def test_an_option_without_a_value_is_told() -> None:
    with pytest.raises(ConfigError, match="--config needs a value"):
        take_option(["--config"], "--config")
