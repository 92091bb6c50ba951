"""A checkpoint says which plugins it needs."""

from __future__ import annotations

import pytest
from torch import nn

from foveate.pipeline.provenance import KEY, check_providers, record_providers
from foveate.plugins import Block
from foveate.plugins.errors import PluginError
from foveate.plugins.manager import Offer, Plugins, Provider


def plugins(version: str = "1.2") -> Plugins:
    block = Block(name="mine", summary="s", kind="3-D", build=lambda channels: nn.Identity())
    provider = Provider(distribution="my-blocks", version=version, entry_point="mine = my_blocks")
    return Plugins(offers=[Offer(record=block, provider=provider)])


RECORDED = {"mine": {"distribution": "my-blocks", "version": "1.2", "entry_point": "mine = my_blocks"}}


def test_each_named_block_is_recorded_with_its_plugin() -> None:
    attention = {"gate": "mine", "stage": [{"name": "mine"}, nn.Identity]}
    assert record_providers(attention, plugins=plugins()) == RECORDED
    assert record_providers(None) == {}


def test_a_missing_plugin_names_what_to_install() -> None:
    with pytest.raises(PluginError, match=r"pip install my-blocks==1\.2") as raised:
        check_providers({KEY: RECORDED}, Plugins())
    assert raised.value.exit_code == 5


def test_another_version_is_a_warning() -> None:
    with pytest.warns(UserWarning, match=r"written with my-blocks 1\.2, here is my-blocks 2\.0"):
        check_providers({KEY: RECORDED}, plugins("2.0"))


def test_the_same_plugin_is_silent() -> None:
    check_providers({KEY: RECORDED}, plugins())
    check_providers({})


def test_encoder_decoder_loss_and_metric_are_recorded_too() -> None:
    found = record_providers(None, network="mscan_t+light_ham", losses=["cross_entropy"], metrics=["calibration_error"])
    assert list(found) == ["encoder mscan_t", "decoder light_ham", "loss cross_entropy", "metric calibration_error"]
    assert {provider["distribution"] for provider in found.values()} == {"foveate"}
    check_providers({KEY: found})


def test_a_missing_loss_names_what_to_install() -> None:
    with pytest.raises(PluginError, match=r"needs the loss 'mine' of my-blocks 1\.2, .*pip install my-blocks==1\.2"):
        check_providers({KEY: {"loss mine": RECORDED["mine"]}}, Plugins())
