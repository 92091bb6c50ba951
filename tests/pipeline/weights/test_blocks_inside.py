"""Weights that were made for one block are not loaded into another one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.models import create_model
from foveate.pipeline.weights.blocks_inside import KEY, blocks_in, check_blocks


def found(attention: dict[str, Any] | None, network: str = "mscan_t+light_ham") -> dict[str, str]:
    return blocks_in(create_model(network, num_classes=2, attention=attention))


def test_the_default_is_the_same_as_its_name() -> None:
    assert found(None) == found({"gate": "msca"}) == found({"gate": "msca", "decoder": "se"})


@pytest.mark.parametrize(
    "other",
    [
        {"gate": "simam"},  # no parameters, like `none`
        {"gate": "se"},
        {"gate": "none", "stage": "simam"},
        {"gate": "none", "stage@4": "se"},
        {"gate": "none", "gate@1": "simam"},
    ],
)
def test_every_other_block_is_told_apart(other: dict[str, Any]) -> None:
    assert found({"gate": "none"}) != found(other)


def test_options_are_told_apart_too() -> None:
    assert found({"gate": {"name": "lka", "kernel": 7}}) != found({"gate": "lka"})
    assert found({"block": "se"}, "mobilenet_v2_035") != found(
        {"block": {"name": "se", "reduction": 2}}, "mobilenet_v2_035"
    )


def test_the_error_names_both_blocks_and_the_place() -> None:
    metadata = {KEY: json.dumps(found({"gate": "se"})), "attention": json.dumps({"gate": "se"})}
    check_blocks(create_model("segnext_t", num_classes=5, attention={"gate": "se"}), metadata, "x.safetensors")
    with pytest.raises(CheckpointError, match=r'x.safetensors: made with attention {"gate": "se"}, .*LargeKernel.*Sq'):
        check_blocks(create_model("segnext_t", num_classes=5, attention={"gate": "lka"}), metadata, "x.safetensors")


def test_weights_that_say_nothing_are_not_checked() -> None:
    check_blocks(create_model("mscan_t", num_classes=2), {}, "x")
