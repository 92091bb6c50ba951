"""The way back: equal tensors under the names of others, in a file that says what it is of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from safetensors import safe_open
from torch import Tensor, nn

from foveate.pipeline.commands.weights import export_checkpoint, show_weights
from foveate.pipeline.errors import CheckpointError, ConfigError
from foveate.pipeline.models import create_model
from foveate.pipeline.weights import load_weights
from foveate.pipeline.weights.reading import read_state_dict


def checkpoint(path: Path, network: str, **settings: Any) -> nn.Module:
    """A run's, as the tasks write it: tensors, the network's name and its classes."""
    model = create_model(network, num_classes=3, attention=settings.get("attention"))
    model.to(memory_format=torch.channels_last)
    state = {f"network.{name}": value for name, value in model.state_dict().items()}
    state |= {f"normalise.{name}": torch.full((3, 1, 1), 127.5) for name in ("mean", "std")}
    hyper = {"network": network, "labels": {"name": "toy", "names": ["a", "b", "c"]}, **settings}
    torch.save({"state_dict": state, "hyper_parameters": hyper, "epoch": 1}, path)
    return model


def equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


@pytest.mark.parametrize(
    ("network", "layout"),
    [
        ("segnext_t", "foveate"),
        ("segnext_t", "official"),
        ("segnext_t", "mmseg"),
        ("mscan_t+light_ham", "official"),
        ("mscan_t", "official"),
    ],
)
def test_what_was_exported_is_read_back_equal(tmp_path: Path, network: str, layout: str) -> None:
    given = checkpoint(tmp_path / "last.ckpt", network)
    export_checkpoint(str(tmp_path / "last.ckpt"), str(tmp_path / "out.safetensors"), layout)  # type: ignore[arg-type]
    model = create_model(network, num_classes=3)
    report = load_weights(model, tmp_path / "out.safetensors")
    assert (report.missing, report.unused, report.coverage) == ([], [], 1)
    assert equal(dict(model.state_dict()), dict(given.state_dict()))
    assert report.statistics == ((127.5,) * 3, (127.5,) * 3)


@pytest.mark.parametrize(
    ("network", "layout", "theirs"),
    [
        ("mobilenet_v2_100", "torchvision", lambda: torchvision.models.mobilenet_v2(num_classes=3)),
        ("mobilenet_v2_100", "timm", lambda: timm.create_model("mobilenetv2_100", num_classes=3)),
        ("vit_ti", "timm", lambda: timm.create_model("vit_tiny_patch16_224", num_classes=3)),
    ],
)
def test_others_read_what_was_exported(tmp_path: Path, network: str, layout: str, theirs: Any) -> None:
    given = checkpoint_of_family(tmp_path / "last.ckpt", network)
    export_checkpoint(str(tmp_path / "last.ckpt"), str(tmp_path / "out.safetensors"), layout)  # type: ignore[arg-type]
    published = theirs()
    published.load_state_dict(read_state_dict(tmp_path / "out.safetensors"))
    image = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.allclose(published.eval()(image), given.eval()(image), atol=1e-5)


def checkpoint_of_family(path: Path, network: str) -> nn.Module:
    """The same for a classifier by its family's own function."""
    from foveate.pipeline.models import mobilenet_v2, vit

    family = vit if network.startswith("vit") else mobilenet_v2
    model: nn.Module = family.create_classifier(network, num_classes=3)
    state = {f"network.{name}": value for name, value in model.state_dict().items()}
    hyper = {"network": network, "classes": {"name": "toy", "names": ["a", "b", "c"]}}
    torch.save({"state_dict": state, "hyper_parameters": hyper}, path)
    return model


def test_an_exported_file_says_what_it_is_of(tmp_path: Path) -> None:
    checkpoint(tmp_path / "last.ckpt", "mscan_t", attention={"gate": "lka"})
    export_checkpoint(str(tmp_path / "last.ckpt"), str(tmp_path / "out.safetensors"))
    with safe_open(tmp_path / "out.safetensors", framework="pt") as file:
        metadata = file.metadata()
    assert (metadata["network"], metadata["layout"]) == ("mscan_t", "foveate")
    assert json.loads(metadata["attention"]) == {"gate": "lka"}
    assert json.loads(metadata["classes"]) == ["a", "b", "c"]
    assert (json.loads(metadata["mean"]), metadata["foveate"][0]) == ([127.5] * 3, "0")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    "attention",
    [{"gate": "se"}, {"gate": "lka"}, {"stage": "eca"}, {"decoder": "se"}],
    ids=lambda a: str(next(iter(a))),
)
def test_other_attention_has_no_official_name(tmp_path: Path, attention: dict[str, str]) -> None:
    checkpoint(tmp_path / "last.ckpt", "segnext_t", attention=attention)
    with pytest.raises(CheckpointError, match=r"layout official SegNeXt has no names for .* --layout foveate"):
        export_checkpoint(str(tmp_path / "last.ckpt"), str(tmp_path / "out.safetensors"), "official")
    assert not (tmp_path / "out.safetensors").exists()


def test_a_layout_of_another_network_is_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path / "last.ckpt", "mscan_t")
    with pytest.raises(ConfigError, match="mscan_t has no layout 'timm'; accepted: foveate, official"):
        export_checkpoint(str(tmp_path / "last.ckpt"), str(tmp_path / "out.safetensors"), "timm")


def test_another_ending_is_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path / "last.ckpt", "mscan_t")
    with pytest.raises(ConfigError, match=r"out\.pth: exported weights are a \.safetensors file"):
        export_checkpoint(str(tmp_path / "last.ckpt"), str(tmp_path / "out.pth"))


def test_a_checkpoint_of_others_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.ones(1)}}, tmp_path / "last.ckpt")
    with pytest.raises(CheckpointError, match="does not say which network it is of"):
        export_checkpoint(str(tmp_path / "last.ckpt"), str(tmp_path / "out.safetensors"))


def test_a_file_is_shown_with_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = checkpoint(tmp_path / "last.ckpt", "mscan_t")
    export_checkpoint(str(tmp_path / "last.ckpt"), str(tmp_path / "out.safetensors"), "official")
    capsys.readouterr()
    show_weights(str(tmp_path / "out.safetensors"))
    shown = capsys.readouterr().out
    assert f": {len(given.state_dict())} tensors, " in shown
    assert "  matches:   mscan_t, layout official MSCAN" in shown
    assert "  network:   mscan_t" in shown


def test_others_may_read_the_file_as_they_may_read_any(tmp_path: Path) -> None:
    checkpoint(tmp_path / "a.ckpt", "mobilenet_v2_035")
    export_checkpoint(str(tmp_path / "a.ckpt"), str(tmp_path / "a.safetensors"))
    (tmp_path / "usual").touch()
    assert (tmp_path / "a.safetensors").stat().st_mode == (tmp_path / "usual").stat().st_mode
