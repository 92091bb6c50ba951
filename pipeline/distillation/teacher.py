"""The teacher of a distillation: a network with weights, from a checkpoint of ours or by name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from foveate.pipeline.distillation.matching import feature_maps
from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.models import create_model, is_segmenter
from foveate.pipeline.normalisation import Normalise
from foveate.pipeline.notes import note
from foveate.pipeline.randomness import seed_all
from foveate.pipeline.runs.directories import RUNS
from foveate.pipeline.runs.finding import checkpoint_of_run, find_checkpoint
from foveate.pipeline.weights.checkpoint import read_trained
from foveate.pipeline.weights.loading import load_weights
from foveate.pipeline.weights.normalisation import IMAGENET, Statistics
from foveate.plugins.building import build_module
from foveate.plugins.manager import installed_plugins
from foveate.plugins.records import Encoder

RANDOM = "random"  # in place of weights
PUBLISHED = "timm"  # the source of weights by default


@dataclass(frozen=True)
class Teacher:
    """An encoder that does not learn.

    Attributes:
        name: What was asked for.
        encoder: In evaluation mode.
        normalise: From bytes to what the encoder expects.
        digest: A hash of its weights.
    """

    name: str
    encoder: nn.Module
    normalise: Normalise
    digest: str

    def to(self, device: torch.device) -> None:
        """Move it to a device."""
        self.encoder.to(device)
        self.normalise.to(device)

    def features(self, images: UInt8[Tensor, "B C H W"]) -> list[Tensor]:
        """Its feature maps, without gradients.

        Args:
            images: Bytes.
        """
        with torch.no_grad():
            return feature_maps(self.encoder, self.normalise(images))


def find_teacher(name: str, weights: str | None = None) -> Teacher:
    """Build a teacher and load its weights.

    Args:
        name: A checkpoint of ours, a run directory, `best`, `last`, or a network by name: ours, or timm:NAME.
        weights: Weights of a network by name: a file or another source of `--model.weights`; those that timm publishes
            if not given; `random` for none.

    Raises:
        CheckpointError: The weights cannot be read or fetched, or are of another network.
        ConfigError: There is no such network.
    """
    path = Path(name).expanduser()
    if name in ("best", "last") or path.exists():
        encoder, statistics = _of_checkpoint(name, path, weights)
    else:
        encoder, statistics = _by_name(name, weights)
    for parameter in encoder.parameters():
        parameter.requires_grad_(False)
    said = name if weights is None else f"{name} with {weights}"
    return Teacher(said, encoder.eval(), Normalise(*statistics), digest_of(encoder.state_dict()))


def _of_checkpoint(name: str, path: Path, weights: str | None) -> tuple[nn.Module, Statistics]:
    if weights is not None:
        raise CheckpointError(f"{name} has weights of its own: leave --teacher_weights out")
    file = checkpoint_of_run(path) if path.is_dir() else find_checkpoint(name, Path(RUNS), None)
    trained = read_trained(file)
    model = create_model(
        trained.network, num_classes=max(1, len(trained.classes)), attention=trained.attention, **trained.options
    )
    state = {name: tensor for name, tensor in trained.state.items() if name.startswith("encoder.")}
    lacking = model.load_state_dict(state, strict=False).missing_keys
    if missing := [name for name in lacking if name.startswith("encoder.")]:
        raise CheckpointError(f"{file}: {missing[0]} is not in the file, which {trained.network} needs")
    return _encoder(model), trained.statistics


def _by_name(name: str, weights: str | None) -> tuple[nn.Module, Statistics]:
    seed_all(0)  # for random weights: the same each time
    encoder = _encoder(create_model(name, num_classes=1)) if is_segmenter(name) else _create_encoder(name)
    if weights == RANDOM:
        return encoder, IMAGENET
    try:
        report = load_weights(encoder, weights or PUBLISHED, part="encoder")
    except CheckpointError as error:
        said = str(error).removeprefix(f"{name}: ")
        raise CheckpointError(f"teacher {name}: {_what_to_do(name, said, weights)}") from error
    note(str(report))
    return encoder, report.statistics or IMAGENET


def _what_to_do(name: str, error: str, weights: str | None) -> str:
    """What went wrong, and which file to give."""
    if weights is not None:
        return error
    said = error.partition("; give a file")[0].partition(". Or give a file")[0]
    hub = _address(name)
    where = f": fetch {hub} on a machine that can, and" if hub else "; with a file:"
    return f"{said}{where} give --teacher_weights FILE"


def _address(name: str) -> str:
    """Where timm's weights of a network can be fetched by hand; empty if that is not known."""
    if not name.startswith("timm:"):
        return ""
    import timm  # late: only for this message

    published = timm.get_pretrained_cfg(name.removeprefix("timm:"))
    hub = None if published is None else published.hf_hub_id
    return f"https://huggingface.co/{hub}/resolve/main/model.safetensors" if hub else ""


def _create_encoder(name: str) -> nn.Module:
    """An encoder by name, which gives feature maps, also where the classifier of this name gives a vector.

    Raises:
        ConfigError: There is no such network.
    """
    offer = installed_plugins().find(name, Encoder)
    return build_module(offer, name, options={}, attention=None)


def _encoder(model: nn.Module) -> nn.Module:
    encoder = model.encoder
    assert isinstance(encoder, nn.Module)
    return encoder


def digest_of(state: Mapping[str, Tensor]) -> str:
    """A hash of names and values of tensors.

    Args:
        state: The tensors.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name}\0{tuple(tensor.shape)}\0{tensor.dtype}\0".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
