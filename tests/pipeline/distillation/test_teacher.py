"""Teachers by name: their weights, and what to do where these cannot be fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from foveate.pipeline.distillation.teacher import digest_of, find_teacher
from foveate.pipeline.errors import CheckpointError
from foveate.plugins.errors import PluginConfigError

VIT = "timm:vit_tiny_patch16_224"


def test_random_weights_are_the_same_each_time_and_do_not_learn() -> None:
    first, second = (find_teacher("mscan_t", "random") for _ in range(2))
    assert first.digest == second.digest
    assert not any(parameter.requires_grad for parameter in first.encoder.parameters())
    assert not first.encoder.training


def test_the_digest_is_of_the_values() -> None:
    state: dict[str, Tensor] = {"a": torch.zeros(3), "count": torch.tensor(1)}
    changed = {**state, "a": torch.tensor([0.0, 0, 1e-30])}
    assert digest_of(state) == digest_of(dict(reversed(state.items()))) != digest_of(changed)


def test_a_vit_of_timm_gets_the_weights_of_a_file_and_its_own_normalisation(tmp_path: Path) -> None:
    published: nn.Module = timm.create_model(VIT.removeprefix("timm:"), num_classes=0)
    save_file(published.state_dict(), tmp_path / "vit.safetensors")
    teacher = find_teacher(VIT, str(tmp_path / "vit.safetensors"))
    assert torch.equal(teacher.encoder.state_dict()["model.model.pos_embed"], published.state_dict()["pos_embed"])
    assert teacher.normalise.mean.flatten().tolist() == [127.5] * 3
    assert [tuple(one.shape) for one in teacher.features(torch.zeros(1, 3, 64, 96, dtype=torch.uint8))] == [
        (1, 192, 4, 6)
    ] * 3


def test_weights_that_cannot_be_fetched_are_an_error_that_names_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    build = timm.create_model

    def offline(name: str, pretrained: bool = False, **options: Any) -> Any:
        if pretrained:
            raise OSError("no route to host")
        return build(name, **options)

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(CheckpointError) as caught:
        find_teacher("timm:vit_small_patch14_dinov2.lvd142m")
    said = str(caught.value)
    assert "no route to host" in said
    assert "https://huggingface.co/timm/vit_small_patch14_dinov2.lvd142m/resolve/main/model.safetensors" in said
    assert said.endswith("give --teacher_weights FILE")
    assert "--model.weights" not in said


@pytest.mark.slow  # looks at the shapes of every encoder
def test_a_network_without_published_weights_needs_a_file() -> None:
    with pytest.raises(CheckpointError, match=r"teacher mscan_t: timm has no weights .* give --teacher_weights FILE"):
        find_teacher("mscan_t")
    with pytest.raises(PluginConfigError, match="mscan_tt"):
        find_teacher("mscan_tt", "random")


@pytest.mark.slow  # looks at the shapes of every encoder
def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=r"teacher mscan_t: .*fits 0%"):
        find_teacher("mscan_t", str(tmp_path / "other.safetensors"))
