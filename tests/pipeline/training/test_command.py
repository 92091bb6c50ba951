"""What a recipe's trainer becomes on the machine at hand."""

from __future__ import annotations

from argparse import Namespace

import pytest

from foveate.pipeline.training.lightning_cli import allow_idle_weights


@pytest.mark.parametrize(
    ("devices", "strategy", "network", "wanted"),
    [
        (2, "auto", "mobilenet_v2_100+smp:FPN", "ddp_find_unused_parameters_true"),
        ("2", "ddp", "mobilenet_v2_100+smp:FPN", "ddp_find_unused_parameters_true"),
        ([0, 1], "auto", "mscan_t+light_ham", "ddp_find_unused_parameters_true"),
        (1, "auto", "mscan_t+light_ham", "auto"),
        ("1", "auto", "mscan_t+light_ham", "auto"),
        (2, "auto", "segnext_t", "auto"),
        (2, "fsdp", "mscan_t+light_ham", "fsdp"),
    ],
)
def test_unread_features_do_not_stop_several_processes(
    devices: object, strategy: str, network: str, wanted: str
) -> None:
    trainer = Namespace(devices=devices, strategy=strategy)
    allow_idle_weights(trainer, network)
    assert trainer.strategy == wanted
