"""Exported files: they agree with PyTorch, say what they are, and one that does not agree is not kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from foveate.pipeline.engines.fold.network import fold
from foveate.pipeline.errors import CheckpointError, ConfigError
from foveate.pipeline.export import parity
from foveate.pipeline.export.contract import Contract, read_contract
from foveate.pipeline.export.export import Exported, Order, ParityError, export
from foveate.pipeline.export.graph import ExportGraph
from foveate.pipeline.export.images import Sample
from foveate.pipeline.export.parity import compare
from foveate.pipeline.export.runtime import ExportedModel, open_exported

from .conftest import CLASSES, Made, pictures


def bytes_of(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8)


@pytest.mark.parametrize("size", [(64, 96), (48, 80), (33, 61)])
def test_the_file_gives_the_model_s_logits_at_any_size(made: Made, written: Path, size: tuple[int, int]) -> None:
    image = bytes_of(2, 3, *size)
    with torch.no_grad():
        logits = made.subject.model(image).numpy()
    np.testing.assert_allclose(open_exported(written)(image), logits, atol=1e-4)


def test_the_contract_is_in_the_file(onnx_file: Exported) -> None:
    contract = open_exported(onnx_file.path).contract
    assert contract == onnx_file.contract
    assert (contract.names, contract.ids, contract.size, contract.multiple_of) == (CLASSES, (7, 8, 9, 10), None, 1)
    assert contract.mean == pytest.approx((123.675, 116.28, 103.53))
    assert (contract.licence, contract.plugins) == ("CC0", {"lka": {"version": "1"}})
    assert {"foveate", "torch", "onnxruntime", "python"} <= contract.versions.keys()


def test_the_file_tells_nothing_of_this_machine(written: Path, root: Path) -> None:
    assert str(root).encode() not in written.read_bytes()
    assert b"stack_trace" not in written.read_bytes()


def test_parity_is_measured_at_two_sizes_and_written(onnx_file: Exported) -> None:
    told = json.loads(onnx_file.path.with_suffix(".parity.json").read_text())
    assert told["passed"]
    assert [one["size"] for one in told["sizes"]] == [[64, 96], [96, 64]]
    assert all(one["equal"] > 0.999 and one["figure"] == "miou" for one in told["sizes"])


def test_images_of_another_type_or_number_of_channels_are_refused(written: Path) -> None:
    model = open_exported(written)
    for image in (torch.zeros(1, 3, 32, 32), bytes_of(3, 32, 32), bytes_of(1, 4, 32, 32)):
        with pytest.raises(ConfigError, match="takes images"):
            model(image)


def test_a_size_that_the_file_does_not_take_is_refused(written: Path) -> None:
    model = open_exported(written)
    for contract in (replace(model.contract, size=(64, 64)), replace(model.contract, multiple_of=32)):
        with pytest.raises(ConfigError, match="not 32 x 48"):
            ExportedModel(written, contract, model.run)(bytes_of(1, 3, 32, 48))


def test_a_file_that_disagrees_is_not_kept(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(parity.LEAST, "fp32", 1.1)
    with pytest.raises(ParityError, match="nothing is kept"):
        export(made.subject, Order(size="64x96", out=tmp_path / "m.onnx"), made.samples, tell=lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == ["m.failed.parity.json"]


def test_force_keeps_it_under_another_name(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(parity.LEAST, "fp32", 1.1)
    order = Order(size="64x96", argmax=True, out=tmp_path / "m.onnx", force=True)
    with pytest.raises(ParityError, match=r"kept as .*m\.failed\.onnx"):
        export(made.subject, order, made.samples, tell=lambda _: None)
    model = open_exported(tmp_path / "m.failed.onnx")
    assert not json.loads((tmp_path / "m.failed.parity.json").read_text())["passed"]
    assert not (tmp_path / "m.onnx").exists()
    labels = model(made.samples[0].image[None])
    assert (labels.shape, labels.dtype) == ((1, 64, 96), np.uint8)
    assert model.contract.output == "labels"


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (Order(format="onnx", precision="bf16", out=Path("m.onnx")), "takes --precision fp32, fp16, int8, not bf16"),
        (Order(format="torchscript", precision="int8", out=Path("m.torchscript")), "not int8"),
        (Order(format="openvino", out=Path("m.onnx")), r"ends with \.xml"),
        (Order(size="big", out=Path("m.onnx")), "a size is HEIGHTxWIDTH"),
    ],
)
def test_what_does_not_go_together_is_refused_at_once(order: Order, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        order.check()


def test_a_file_without_contract_and_a_damaged_one_are_named(tmp_path: Path, written: Path) -> None:
    (tmp_path / "cut.onnx").write_bytes(written.read_bytes()[:900])
    for path, message in ((tmp_path / "cut.onnx", "cut.onnx: "), (tmp_path / "no.onnx", "no such exported model")):
        with pytest.raises(CheckpointError, match=message):
            open_exported(path)
    with pytest.raises(CheckpointError, match="ends with"):
        open_exported(tmp_path / "model.ckpt")


def test_a_contract_of_another_version_is_refused(onnx_file: Exported) -> None:
    given = onnx_file.contract.as_json()
    with pytest.raises(CheckpointError, match="has version 9"):
        read_contract({**given, "schema": 9})
    with pytest.raises(CheckpointError, match="incomplete"):
        read_contract({"schema": 1})


def test_the_change_of_miou_has_an_interval(made: Made, written: Path) -> None:
    exact = open_exported(written)
    worse = ExportedModel(written, exact.contract, lambda image: exact.run(255 - image))
    found = compare(made.subject.model, worse, pictures(12), (64, 96))
    assert found.figure == "miou"
    assert found.change is not None
    assert found.interval is not None
    assert found.interval[0] <= found.change <= found.interval[1]
    assert not found.passes("fp32")


def test_the_miou_of_parity_is_that_of_an_evaluation(made: Made, written: Path) -> None:
    from foveate.pipeline.metrics.confusion import count_confusion, score

    found = compare(made.subject.model, open_exported(written), made.samples, (64, 96))
    with torch.no_grad():
        counts = sum(
            count_confusion(made.subject.model(one.image[None]).argmax(1), one.labels[None], len(CLASSES))
            for one in made.samples
            if one.labels is not None
        )
    assert found.reference == pytest.approx(score(counts).miou, abs=1e-6)


def test_int8_may_miss_pixels_but_not_a_point_of_miou() -> None:
    agreement = parity.Agreement(size=(8, 8), images=1, equal=0.97, change=-0.005)
    assert agreement.passes("int8")
    assert not replace(agreement, change=-0.02).passes("int8")
    assert not replace(agreement, change=None).passes("int8")
    assert not agreement.passes("fp32")


def test_labels_are_resized_without_new_values() -> None:
    sample = Sample(bytes_of(3, 8, 8), torch.tensor([[0, 255], [3, 7]], dtype=torch.uint8).repeat(4, 4))
    resized = sample.resized((13, 5))
    assert (resized.size, set(resized.labels.flatten().tolist())) == ((13, 5), {0, 255, 3, 7})


class Branches(nn.Module):
    """Two branches that can be merged, as RepVGG's."""

    def __init__(self) -> None:
        super().__init__()
        self.branches: nn.ModuleList | None = nn.ModuleList([nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)])
        self.merged: nn.Conv2d | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.merged(x) if self.merged is not None else sum(branch(x) for branch in self.branches)

    def reparameterize(self) -> None:
        self.merged = nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            self.merged.weight.copy_(self.branches[0].weight + self.branches[1].weight)
            self.merged.bias.copy_(self.branches[0].bias + self.branches[1].bias)
        self.branches = None


def test_branches_are_merged_in_a_copy() -> None:
    network, image = nn.Sequential(Branches()), torch.rand(1, 3, 8, 8)
    merged = fold(network, image)
    assert network[0].branches is not None
    assert merged[0].branches is None
    torch.testing.assert_close(merged(image), network(image))


def test_half_precision_keeps_normalisation_in_float32(made: Made) -> None:
    model, image = made.subject.model, bytes_of(1, 3, 32, 32)
    graph = ExportGraph(
        model.network, model.normalise(image), model.normalise.mean, model.normalise.std, dtype=torch.bfloat16
    )
    assert (graph.mean.dtype, next(graph.core.parameters()).dtype) == (torch.float32, torch.bfloat16)
    assert next(model.network.parameters()).dtype == torch.float32


def test_parity_of_classifiers_counts_top_classes() -> None:
    logits = torch.tensor([[0.1, 0.9, 0.0]])
    contract = Contract(kind="classification", output="logits", names=("a", "b", "c"), mean=(0,), std=(1,), size=None)
    exported = ExportedModel(Path("m.onnx"), contract, lambda image: logits.numpy())
    samples = [Sample(bytes_of(3, 8, 8), torch.tensor(label)) for label in (1, 1, 2)]
    found = compare(lambda image: logits, exported, samples, (8, 8))
    assert (found.equal, found.figure, found.reference) == (1.0, "accuracy", pytest.approx(2 / 3))
