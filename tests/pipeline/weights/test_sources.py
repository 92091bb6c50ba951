"""Where weights come from; nothing here asks the network."""

from __future__ import annotations

import io
import time
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import timm
import torch
from safetensors.torch import save

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.models import create_model, mobilenet_v2
from foveate.pipeline.weights import load_initial_weights, load_weights
from foveate.pipeline.weights.normalisation import IMAGENET
from foveate.pipeline.weights.sources import download, open_source, timm_name

URL = "https://example.org/files/weights.safetensors?download=1"


class Answer(io.BytesIO):
    """What an address gives."""

    def __init__(self, content: bytes, length: int | None = None) -> None:
        super().__init__(content)
        self.headers = Message()
        self.headers["Content-Length"] = str(len(content) if length is None else length)
        self.status = 200

    def geturl(self) -> str:
        return URL


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "cache"))
    return tmp_path / "cache" / "checkpoints"


def test_an_address_is_fetched_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [Answer(save({"a": torch.ones(3)}))]
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: answers.pop())
    for _ in range(2):
        file = open_source(URL)
        assert (file.label, list(file.state)) == (URL, ["a"])
    assert sorted(path.suffix for path in cache.iterdir()) == [".lock", ".safetensors"]


def test_a_download_that_ends_early_leaves_no_weights(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: Answer(b"abc", length=99))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with pytest.raises(CheckpointError, match="ended after 3 of 99 bytes"):
        open_source(URL)
    assert sorted(path.suffix for path in cache.iterdir()) == [".lock", ".part"]


def test_an_answer_without_encryption_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Answer(b"abc")
    monkeypatch.setattr(answer, "geturl", lambda: "http://example.org/a.pth")
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: answer)
    with pytest.raises(CheckpointError, match="without encryption; refused"):
        download(URL)


def test_no_network_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", fail)
    with pytest.raises(
        CheckpointError, match=r"cannot be fetched \(no connection: .*no route.*\); give a file instead"
    ) as e:
        download(URL)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("url", ["http://example.org/a.pth", "ftp://example.org/a.pth", "file:///etc/passwd"])
def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(CheckpointError, match="by https:// or hf:// only"):
        open_source(url)


def test_a_file_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fetch(*args: Any, **options: Any) -> str:
        asked.append((*args, options))
        torch.save({"a": torch.ones(3)}, tmp_path / "w.pth")
        return str(tmp_path / "w.pth")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    assert list(open_source("hf://me/net/sub/w.pth").state) == ["a"]
    open_source("hf://me/net@v1/w.pth")
    assert asked == [("me/net", "sub/w.pth", {"revision": None}), ("me/net", "w.pth", {"revision": "v1"})]


def test_a_repository_that_cannot_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> str:
        raise OSError("We couldn't connect\nto the hub")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(
        CheckpointError, match=r"hf://me/net/w.pth: cannot be fetched \(OSError: We couldn't connect\);"
    ):
        open_source("hf://me/net/w.pth")


@pytest.mark.parametrize("address", ["hf://me", "hf://me/net", "hf:///net/w.pth"])
def test_an_incomplete_address_is_explained(address: str) -> None:
    with pytest.raises(CheckpointError, match="write hf://owner/repository/file"):
        open_source(address)


def test_timm_s_weights_come_with_their_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained: create(name))
    model = mobilenet_v2.create_classifier("mobilenet_v2_050", num_classes=1000)
    report = load_weights(model, "timm")
    assert (report.source, report.layout) == ("timm:mobilenetv2_050", "timm MobileNetV2")
    assert report.statistics is not None
    assert torch.allclose(torch.tensor(report.statistics), torch.tensor(IMAGENET), atol=1e-3)


def test_timm_without_network_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise RuntimeError("offline\nand more")

    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(CheckpointError, match=r"^timm:x: cannot be fetched \(RuntimeError: offline\); give a file"):
        open_source("timm:x")


def test_timm_names() -> None:
    assert (timm_name("vit_s"), timm_name("timm:resnet18")) == ("vit_small_patch16_224", "resnet18")
    with pytest.raises(CheckpointError, match="timm has no weights for van_b0; it has for: mobilenet_v2_050"):
        timm_name("van_b0")


@pytest.mark.parametrize("network", ["timm:test_resnet+light_ham", "timm:test_resnet+smp:FPN"])
def test_the_word_timm_fetches_for_the_encoder_of_a_segmenter(network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model
    asked = []

    def fetch(name: str, **options: Any) -> Any:
        asked.append((name, options.pop("pretrained", False)))
        return create(name, **options)

    model = create_model(network, num_classes=2)
    monkeypatch.setattr(timm, "create_model", fetch)
    report = load_initial_weights(model, "timm")
    assert asked == [("test_resnet", True)]
    assert [(part.part, part.coverage) for part in report.parts] == [("encoder", 1)]


def test_the_word_timm_offline_is_one_line_for_a_segmenter_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise RuntimeError("offline")

    model = create_model("timm:test_resnet+light_ham", num_classes=2)
    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(CheckpointError, match=r"^timm:test_resnet: cannot be fetched \(RuntimeError: offline\); give"):
        load_initial_weights(model, "timm")
