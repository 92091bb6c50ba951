"""Checkpoints as others write them: nested, averaged, with objects beside the tensors, in folders and in parts."""

from __future__ import annotations

import argparse
import datetime
import enum
import json
import pickle
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.models import create_model, mobilenet_v2
from foveate.pipeline.weights import WeightReport, load_initial_weights, load_weights, read_state_dict

State = dict[str, Tensor]
NAME = "mobilenet_v2_035"


@pytest.fixture(scope="module")
def state() -> State:
    """Of an encoder, but with numbers of its own."""
    given = mobilenet_v2.create_encoder(NAME).state_dict()
    return {name: torch.rand(v.shape) if v.is_floating_point() else v for name, v in given.items()}


def load(path: Path, state: State | None = None) -> WeightReport:
    """Into an encoder, whose numbers then are those of `state`."""
    model = mobilenet_v2.create_encoder(NAME)
    report = load_weights(model, path)
    if state is not None:
        assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    return report


def prefixed(prefix: str, state: State) -> State:
    return {prefix + name: value for name, value in state.items()}


def other(state: State) -> State:
    """The same names and shapes with other numbers."""
    return {name: value + 1 for name, value in state.items()}


NESTED: dict[str, Callable[[State], object]] = {
    "weights": lambda s: {"weights": s},
    "three deep": lambda s: {
        "checkpoint": {"run": {"net": s}},
        "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}},
    },
    "two unknown prefixes": lambda s: {"state_dict": prefixed("my_trainer.some_net.", s)},
    "compiled and wrapped": lambda s: {"model": prefixed("_orig_mod.module.model.backbone.", s)},
    "wrapped inside": lambda s: prefixed("net._fsdp_wrapped_module.", s),
    "parts by themselves": lambda s: {"encoder": s, "head": {"fc.weight": torch.ones(2, 3)}},
    "arrays of NumPy": lambda s: {"model": {name: value.numpy() for name, value in s.items()}},
    "numbers beside": lambda s: {**s, "epoch": 3, "lr": 0.1, "name": "mine"},
}


@pytest.mark.parametrize("wrap", NESTED.values(), ids=NESTED)
def test_the_mapping_that_covers_the_model_is_found(
    tmp_path: Path, state: State, wrap: Callable[[State], object]
) -> None:
    torch.save(wrap(state), tmp_path / "a.pth")
    assert load(tmp_path / "a.pth", state).coverage == 1


@pytest.mark.parametrize(
    ("average", "plain"),
    [("ema", "model"), ("state_dict_ema", "state_dict"), ("model_ema", "model"), ("teacher", "student")],
)
def test_the_average_is_taken_and_said(tmp_path: Path, state: State, average: str, plain: str) -> None:
    torch.save({plain: other(state), average: state}, tmp_path / "a.pth")
    report = load(tmp_path / "a.pth", state)
    assert f"taken: {average} (an average of the weights); the file also has {plain}" in str(report)


def test_an_average_that_lacks_tensors_is_left(tmp_path: Path, state: State) -> None:
    parameters = {name: value + 1 for name, value in state.items() if "running" not in name}
    torch.save({"model": state, "ema": parameters}, tmp_path / "a.pth")
    load(tmp_path / "a.pth", state)


def test_a_teacher_in_one_mapping_with_its_student_is_taken(tmp_path: Path, state: State) -> None:
    torch.save(
        {**prefixed("student.backbone.", other(state)), **prefixed("teacher.backbone.", state)}, tmp_path / "a.pth"
    )
    assert "taken: teacher.backbone" in str(load(tmp_path / "a.pth", state))


@pytest.mark.parametrize("key", ["model", "nested.net", "nested"])
def test_a_key_picks_one(tmp_path: Path, state: State, key: str) -> None:
    torch.save({"ema": other(state), "model": state, "nested": {"net": state}}, tmp_path / "a.pth")
    assert load(Path(f"{tmp_path}/a.pth::{key}"), state).source.endswith(f"a.pth::{key}")


def test_a_key_picks_names_that_begin_with_it(tmp_path: Path, state: State) -> None:
    torch.save({**prefixed("student.", state), **prefixed("teacher.", other(state))}, tmp_path / "a.pth")
    load(Path(f"{tmp_path}/a.pth::student"), state)


def test_a_key_that_is_not_there_lists_those_that_are(tmp_path: Path, state: State) -> None:
    torch.save({"ema": state, "model": state}, tmp_path / "a.pth")
    with pytest.raises(
        CheckpointError, match=r"a.pth holds nothing under 'emma'; keys found: ema \(\d+ tensors\), model"
    ):
        load(Path(f"{tmp_path}/a.pth::emma"))


def test_a_refusal_lists_the_keys(tmp_path: Path) -> None:
    torch.save({"model": {"a.b": torch.ones(3)}, "ema": {"a.c": torch.ones(3)}}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"keys found: model \(1 tensors\), ema \(1 tensors\)"):
        load(tmp_path / "a.pth")


class HistoryBuffer:
    """As mmengine has it: arrays of its own."""

    def __init__(self) -> None:
        self.values = np.arange(3.0)


class Settings(dict[str, Any]):
    """A mapping of somebody's own."""


class Kind(enum.Enum):
    """A choice of somebody's own."""

    A = 1


BESIDE: dict[str, object] = {
    "namespace": argparse.Namespace(lr=0.1, out=Path("runs")),
    "path": Path("a/b"),
    "history": HistoryBuffer(),
    "mapping": Settings(a=1),
    "choice": Kind.A,
    "scalar": np.float32(3.5),
    "integer": np.int64(3),
    "array": np.arange(4),
    "time": datetime.datetime(2020, 1, 1),
    "span": datetime.timedelta(1),
    "ordered": OrderedDict(a=1),
    "default": defaultdict(list, a=[1]),
    "set": {1, 2},
    "bytes": b"abc",
    "dtype": torch.float16,
    "device": torch.device("cpu"),
    "size": torch.Size([1]),
    "generator": np.random.default_rng(0),
    "module": nn.Linear(2, 2),
}


@pytest.mark.parametrize("modern", [True, False], ids=["zip", "before 1.6"])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_harmless_objects_beside_the_tensors_do_not_matter(
    tmp_path: Path, state: State, protocol: int, modern: bool
) -> None:
    torch.save(
        {"state_dict": OrderedDict(state), **BESIDE},
        tmp_path / "a.pth",
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=modern,
    )
    load(tmp_path / "a.pth", state)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_plain_pickle_of_arrays_is_read(tmp_path: Path, state: State, protocol: int) -> None:
    arrays = {name: value.numpy() for name, value in state.items()}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"model": arrays, "__author__": "somebody"}, protocol))
    load(tmp_path / "a.pkl", state)


def test_a_plain_pickle_of_tensors_is_read(tmp_path: Path, state: State) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"model": state, "epoch": 1}))
    load(tmp_path / "a.pkl", state)


def test_a_whole_pickled_model_gives_its_state_dict(tmp_path: Path, state: State) -> None:
    model = mobilenet_v2.create_encoder(NAME)
    model.load_state_dict(state)
    torch.save({"model": model, "epoch": 3}, tmp_path / "a.pt")
    load(tmp_path / "a.pt", state)


def test_a_checkpoint_that_holds_itself_ends(tmp_path: Path, state: State) -> None:
    content: dict[str, Any] = {"model": state}
    content["again"] = content
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({**content, "set": Settings()}))
    load(tmp_path / "a.pkl", state)


def split(state: State, folder: Path, ending: str) -> None:
    names = list(state)
    parts = {f"model-0000{n}-of-00002.{ending}": names[n - 1 :: 2] for n in (1, 2)}
    for file, inside in parts.items():
        part = {name: state[name] for name in inside}
        save_file(part, folder / file) if ending == "safetensors" else torch.save(part, folder / file)
    index = {"weight_map": {name: file for file, inside in parts.items() for name in inside}}
    name = "model.safetensors.index.json" if ending == "safetensors" else "pytorch_model.bin.index.json"
    (folder / name).write_text(json.dumps(index))


@pytest.mark.parametrize("ending", ["safetensors", "bin"])
def test_a_folder_with_weights_in_parts_is_read(tmp_path: Path, state: State, ending: str) -> None:
    split(state, tmp_path, ending)
    load(tmp_path, state)


@pytest.mark.parametrize("part", ["../secret.bin", "/etc/passwd", "a/b.bin", "..", ""])
def test_an_index_that_leads_out_of_its_folder_is_refused(tmp_path: Path, part: str) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": part}}))
    with pytest.raises(CheckpointError, match="which is no file beside it: refused"):
        load(tmp_path)


def test_a_folder_tells_the_normalisation(tmp_path: Path, state: State) -> None:
    save_file(state, tmp_path / "model.safetensors")
    settings = {"architecture": "mobilenetv2", "pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    assert load(tmp_path, state).statistics == ((127.5,) * 3, (51.0,) * 3)


def test_a_folder_without_weights_says_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "readme.md").write_text("nothing")
    with pytest.raises(CheckpointError, match=r"no weights \(looked for model.safetensors.*found: readme.md"):
        load(tmp_path)


def test_a_whole_segmenter_of_smp_goes_into_ours(tmp_path: Path) -> None:
    import segmentation_models_pytorch as smp

    published = smp.FPN("resnet18", encoder_weights=None, classes=3).eval()
    torch.save({"state_dict": prefixed("model.", dict(published.state_dict()))}, tmp_path / "a.ckpt")
    model = create_model("smp:resnet18+smp:FPN", num_classes=3).eval()
    report = load_initial_weights(model, tmp_path / "a.ckpt")
    assert [(part.part, part.coverage, part.missing) for part in report.parts] == [
        ("encoder", 1, ()),
        ("decoder", 1, ()),
    ]
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        ours = model(image)
        assert torch.allclose(ours[..., :: 64 // ours.shape[2], :], published(image), atol=1e-5)


WHAT: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the file is empty"),
    "page": (b"<!DOCTYPE html><html>", "it is a web page"),
    "pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 14000000\n",
        "a pointer of Git LFS that stands for 14,000,000 bytes.*git lfs pull",
    ),
    "gzip": (b"\x1f\x8b\x08abc", "compressed by gzip"),
    "hdf5": (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
}


@pytest.mark.parametrize(("content", "message"), WHAT.values(), ids=WHAT)
@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_a_file_of_something_else_is_called_what_it_is(
    tmp_path: Path, content: bytes, message: str, ending: str
) -> None:
    (tmp_path / f"a{ending}").write_bytes(content)
    with pytest.raises(CheckpointError, match=f"not a readable weights file: .*{message}"):
        read_state_dict(tmp_path / f"a{ending}")


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_a_file_cut_short_says_so(tmp_path: Path, state: State, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    torch.save(state, path) if ending == "pth" else save_file(state, path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(CheckpointError, match="cut short after 3,000 bytes"):
        read_state_dict(path)


@pytest.mark.parametrize("whole", [True, False])
def test_the_state_of_an_optimiser_is_no_weights(tmp_path: Path, whole: bool) -> None:
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    torch.save(
        optimizer.state_dict() if whole else {"optimizer": optimizer.state_dict(), "epoch": 1}, tmp_path / "o.pt"
    )
    with pytest.raises(CheckpointError, match="holds the state of an optimiser and no weights; keys found: "):
        read_state_dict(tmp_path / "o.pt")


def test_a_torchscript_archive_is_called_what_it_is(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        for name in ("a/data.pkl", "a/constants.pkl", "a/code/__torch__.py"):
            archive.writestr(name, b"")
    with pytest.raises(CheckpointError, match="it is a TorchScript archive, which holds a program"):
        read_state_dict(tmp_path / "a.pt")
