"""What does not belong to a model is refused, says what it is, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.models import conv_attention, create_model, mobilenet_v2
from foveate.pipeline.weights import load_weights

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def small() -> State:
    """MSCAN T's own."""
    return dict(conv_attention.create_encoder("mscan_t").state_dict())


def every_other(state: State) -> State:
    return dict(list(state.items())[::2])


def first_half(state: State) -> State:
    return dict(list(state.items())[: len(state) // 2])


def renamed(state: State) -> State:
    return {
        name.replace("block", "layer").replace("patch", "piece").replace("norm", "n"): v for name, v in state.items()
    }


def of_another(name: str) -> Callable[[State], State]:
    return lambda _: dict(conv_attention.create_encoder(name).state_dict())


def wider(state: State) -> State:
    return {name: torch.cat([v, v]) if v.ndim else v for name, v in state.items()}


REFUSED: dict[str, tuple[Callable[[State], State], str]] = {
    "another variant": (
        of_another("mscan_s"),
        r"fits 0% of the encoder of mscan_t: the file is mscan_s, layout .* \(100%",
    ),
    "a deeper one of the same widths": (
        of_another("mscan_b"),
        r"fits 0% of the encoder of mscan_t: the file is mscan_b, layout .* \(100%",
    ),
    "renamed": (
        renamed,
        r"fits 0% .* none of its names match; the closest layout is official MSCAN; the file has "
        r"'piece_embed1.proj.0.weight', expected 'patch_embed1.proj.0.weight'; 100% of the shapes are there",
    ),
    "every other name": (every_other, r"fits \d+% .* it holds 1\d\d of its 298 tensors by name .* cut short"),
    "the first half": (first_half, r"fits 1\d% .* it holds 155 of its 298 tensors by name .* cut short"),
    "other shapes": (
        wider,
        r"fits 0% .* 298 tensors have other shapes: \S+ is \[32, 3, 3, 3\] in the file and \[16, 3, 3, 3\]",
    ),
    "something else": (
        lambda _: {"a": torch.rand(3)},
        r"fits 0% .* none of its names match; the closest layout is \w+",
    ),
}


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED)
def test_a_file_of_another_model_says_what_it_is(
    tmp_path: Path, small: State, change: Callable[[State], State], message: str
) -> None:
    torch.save(change(small), tmp_path / "weights.pth")
    model = conv_attention.create_encoder("mscan_t")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=rf"weights\.pth: {message}"):
        load_weights(model, tmp_path / "weights.pth")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_numbers_that_are_none_are_refused(tmp_path: Path, small: State) -> None:
    torch.save({**small, "norm2.bias": torch.full((64,), torch.nan)}, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match=r"norm2\.bias holds numbers that are not finite"):
        load_weights(conv_attention.create_encoder("mscan_t"), tmp_path / "weights.pth")


def test_a_head_that_was_asked_for_has_to_be_there(tmp_path: Path, small: State) -> None:
    torch.save(small, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match="fits 0% of the decoder: none of its names match"):
        load_weights(create_model("segnext_t", num_classes=2), tmp_path / "weights.pth", part="head")


def test_a_part_that_the_model_lacks_is_refused(tmp_path: Path, small: State) -> None:
    torch.save(small, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match="no part that was asked for"):
        load_weights(conv_attention.create_encoder("mscan_t"), tmp_path / "weights.pth", part="head")


def test_a_head_of_other_classes_alone_is_refused_with_both_counts(tmp_path: Path) -> None:
    torch.save(mobilenet_v2.create_classifier("mobilenet_v2_035", num_classes=1000).state_dict(), tmp_path / "a.pth")
    model = mobilenet_v2.create_classifier("mobilenet_v2_035", num_classes=2000)
    with pytest.raises(CheckpointError, match=r"classifier\.\w+ is \[1000.* in the file and \[2000"):
        load_weights(model, tmp_path / "a.pth", part="head")


class Odd(nn.Module):
    """A model that has no name."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3))


def test_timm_by_itself_needs_a_network_that_has_a_name() -> None:
    with pytest.raises(CheckpointError, match="no name in timm; write timm:NAME"):
        load_weights(Odd(), "timm")


def test_timm_by_itself_says_where_timm_has_nothing() -> None:
    with pytest.raises(CheckpointError, match="timm has no weights for mscan_t"):
        load_weights(conv_attention.create_encoder("mscan_t"), "timm")
