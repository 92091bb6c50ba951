"""Weights of others: what fits is read, what does not is refused, and nothing in a file is ever run."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.models.mscan import MSCAN
from foveate.pipeline.weights import load_encoder_weights, read_state_dict
from foveate.plugins.blocks import SlotSpec

State = dict[str, Tensor]


class Network(nn.Module):
    """What weights are loaded into: something with an encoder."""

    def __init__(self, channels: tuple[int, int] = (16, 24), gate: SlotSpec = "msca") -> None:
        super().__init__()
        self.encoder = MSCAN(channels=channels, depths=(1, 2), mlp_ratios=(2, 2), attention={"gate": gate})


@pytest.fixture
def state() -> State:
    """Of an encoder with numbers of its own."""
    return {k: torch.rand(v.shape) if v.is_floating_point() else v for k, v in Network().encoder.state_dict().items()}


def official(state: State) -> State:
    return {re.sub(r"\.mlp\.dwconv\.", ".mlp.dwconv.dwconv.", key): value for key, value in state.items()}


def prefixed(prefix: str, state: State) -> State:
    return {prefix + key: value for key, value in state.items()}


LAYOUTS: dict[str, Callable[[State], object]] = {
    "official encoder": lambda s: {"state_dict": {**official(s), "head.weight": torch.rand(9, 9)}},
    "official segmenter": lambda s: {
        "meta": {"epoch": 1},
        "state_dict": {**prefixed("backbone.", official(s)), "decode_head.conv_seg.bias": torch.rand(3)},
    },
    "mmseg": lambda s: {"state_dict": prefixed("backbone.", s)},
    "data parallel": lambda s: {"model": prefixed("module.backbone.", s)},
    "a checkpoint of ours": lambda s: {"epoch": 2, "state_dict": prefixed("network.encoder.", s)},
    "bare": lambda s: s,
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_each_layout_is_read(tmp_path: Path, state: State, layout: Callable[[State], object]) -> None:
    torch.save(layout(state), tmp_path / "weights.pth")
    network = Network()
    report = load_encoder_weights(network, tmp_path / "weights.pth")
    assert (report.missing, report.coverage) == ([], 1)
    assert all(torch.equal(value, state[key]) for key, value in network.encoder.state_dict().items())


def test_safetensors_are_read(tmp_path: Path, state: State) -> None:
    save_file(state, tmp_path / "weights.safetensors")
    assert load_encoder_weights(Network(), str(tmp_path / "weights.safetensors")).missing == []


def test_what_the_model_lacks_is_reported(tmp_path: Path, state: State) -> None:
    torch.save({**state, "head.weight": torch.rand(2)}, tmp_path / "weights.pth")
    assert load_encoder_weights(Network(), tmp_path / "weights.pth").unused == ["head.weight"]


def test_a_few_missing_tensors_warn(tmp_path: Path, state: State) -> None:
    del state["norm2.bias"]
    torch.save(state, tmp_path / "weights.pth")
    with pytest.warns(UserWarning, match="1 tensors keep random initial values: norm2.bias"):
        load_encoder_weights(Network(), tmp_path / "weights.pth")


@pytest.mark.parametrize(
    ("network", "keep"),
    [(Network(), "block1|patch_embed1"), (Network(channels=(24, 32)), "")],
    ids=["half the names", "another variant"],
)
def test_weights_of_another_model_are_refused_and_change_nothing(
    tmp_path: Path, state: State, network: Network, keep: str
) -> None:
    torch.save({k: v for k, v in state.items() if re.match(keep, k)}, tmp_path / "weights.pth")
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"weights.pth: fits \d+% of the encoder") as caught:
        load_encoder_weights(network, tmp_path / "weights.pth")
    assert caught.value.exit_code == 4
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("forced", ["0", "1"], ids=["", "even where the environment asks for it"])
@pytest.mark.parametrize("save", [torch.save, lambda o, p: p.write_bytes(pickle.dumps(o, 2))], ids=["zip", "pickle"])
def test_code_in_a_file_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Callable[[object, Path], object], forced: str
) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", forced)
    save({"state_dict": Trap(tmp_path / "sprung")}, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match=r"refused, since reading it would run code: it asks for \w+\.mkdir"):
        read_state_dict(tmp_path / "weights.pth")
    assert not (tmp_path / "sprung").exists()


DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda good: b"",
    "one byte": lambda good: good[:1],
    "cut in half": lambda good: good[: len(good) // 2],
    "a web page": lambda good: b"<!DOCTYPE html><html>404</html>",
    "a pointer of Git LFS": lambda good: b"version https://git-lfs.github.com/spec/v1\n",
    "bytes that pop an empty stack": lambda good: b"\x80\x02.",
    "bytes that end in a number": lambda good: b"\x80\x02J\x01",
}


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_named(tmp_path: Path, damage: Callable[[bytes], bytes], ending: str) -> None:
    good, bad = tmp_path / f"good{ending}", tmp_path / f"bad{ending}"
    (save_file if ending == ".safetensors" else torch.save)({"a": torch.rand(99)}, good)
    bad.write_bytes(damage(good.read_bytes()))
    with pytest.raises(CheckpointError, match=f"bad{ending}: not a readable weights file"):
        read_state_dict(bad)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere.pth: no such weights file"):
        read_state_dict(tmp_path / "nowhere.pth")


def test_something_else_than_tensors_by_name_is_refused(tmp_path: Path) -> None:
    torch.save([torch.rand(3)], tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match="a mapping of names to tensors, not a list"):
        read_state_dict(tmp_path / "list.pth")
