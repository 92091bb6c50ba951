"""Models through a folder as the hub has it; nothing here asks the network."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from huggingface_hub import PyTorchModelHubMixin
from safetensors.torch import load_file, save_file

from foveate.pipeline.errors import CheckpointError, ConfigError
from foveate.pipeline.hub import HubModel, from_pretrained, push_to_hub, save_pretrained
from foveate.plugins.errors import PluginError


def small(**settings: object) -> HubModel:
    return HubModel(network="mscan_t", classes=["cat", "dog"], mean=[127.5] * 3, std=[127.5] * 3, **settings).eval()  # type: ignore[arg-type]


def configure(folder: Path, **changes: object) -> None:
    """Change the stored configuration."""
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hub")
    save_pretrained(small(), path)
    return path


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_a_folder_gives_the_same_model_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = small(attention={"gate": {"name": "lka", "kernel": 7}, "stage": ["se"]}, network_options={"drop_path": 0.2})
    save_pretrained(model, tmp_path)
    again = from_pretrained(tmp_path)
    image = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    assert torch.equal(again(image), model(image))
    assert (again.classes, again.training) == (("cat", "dog"), False)
    assert again.normalise.mean.flatten().tolist() == [127.5] * 3
    assert capsys.readouterr().out == ""


def test_a_checkpoint_goes_to_a_folder(tmp_path: Path) -> None:
    model = small()
    state = dict(model.state_dict())
    settings = {"network": "mscan_t", "attention": None, "classes": {"names": ["cat", "dog"]}, "network_options": None}
    torch.save({"state_dict": state, "hyper_parameters": settings}, tmp_path / "best.ckpt")
    save_pretrained(tmp_path / "best.ckpt", tmp_path / "hub")
    again = from_pretrained(tmp_path / "hub")
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in state.items())


def test_the_configuration_holds_names_and_numbers_alone(folder: Path) -> None:
    assert json.loads((folder / "config.json").read_text()) == {
        "network": "mscan_t",
        "classes": ["cat", "dog"],
        "attention": None,
        "network_options": None,
        "mean": [127.5] * 3,
        "std": [127.5] * 3,
        "evaluation": None,
    }


@pytest.mark.parametrize(
    "network", ["os:system", "torch.nn:Linear", "foveate.pipeline.models.vit.create:create_encoder"]
)
def test_a_path_to_code_is_no_network(copy: Path, network: str) -> None:
    configure(copy, network=network)
    with pytest.raises(ConfigError, match="no network named"):
        from_pretrained(copy)


def test_a_path_to_code_is_no_block(copy: Path) -> None:
    configure(copy, attention={"gate": "os:system"})
    with pytest.raises(PluginError, match="no block named 'os:system'"):
        from_pretrained(copy)


def test_weights_of_another_network_are_refused(copy: Path) -> None:
    configure(copy, network="mscan_s")
    with pytest.raises(CheckpointError, match=r"no foveate model can be loaded from it \(RuntimeError"):
        from_pretrained(copy)


def test_a_missing_tensor_is_refused(copy: Path) -> None:
    state = load_file(copy / "model.safetensors")
    del state["network.encoder.norm1.bias"]
    save_file(state, copy / "model.safetensors")
    with pytest.raises(CheckpointError, match="can be loaded"):
        from_pretrained(copy)


def test_a_pickle_in_place_of_the_weights_is_not_read(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    (copy / "pytorch_model.bin").write_bytes(pickle.dumps({"network.a": print}))
    with pytest.raises(CheckpointError, match="no such weights file"):
        from_pretrained(copy)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no foveate model can be loaded from it"):
        from_pretrained(tmp_path)


def test_uploading_goes_through_the_mixin(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(
        PyTorchModelHubMixin, "push_to_hub", lambda self, repo, **o: calls.append((repo, o)) or "address"
    )
    assert push_to_hub(small(), "me/net", private=True) == "address"
    assert calls == [("me/net", {"private": True})]
