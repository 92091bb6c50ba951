"""What segmentation-models-pytorch calls its encoders, its decoders and their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.naming import nearest
from foveate.plugins.hints import did_you_mean

PREFIX = "smp:"
ARCHITECTURES = (
    "Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "PSPNet",
    "DeepLabV3", "DeepLabV3Plus", "PAN", "UPerNet", "Segformer", "DPT",
)  # fmt: skip


def list_encoders() -> list[str]:
    """The library's own encoders, as `create_encoder` takes them; `smp:tu-NAME` of timm beside. Imports the library."""
    from segmentation_models_pytorch.encoders import get_encoder_names

    return [PREFIX + name for name in get_encoder_names() if not name.startswith(("timm-", "foveate-"))]


def list_decoders() -> list[str]:
    """The library's decoders, as `create_decoder` takes them."""
    return [PREFIX + name for name in ARCHITECTURES]


def check_encoder(name: str) -> None:
    """Refuse an encoder that the library does not know.

    Args:
        name: Without the prefix `smp:`.

    Raises:
        ConfigError: There is none of this name (without the prefix).
    """
    import timm
    from segmentation_models_pytorch.encoders import get_encoder_names

    known: list[str] = get_encoder_names()
    accepted = ", ".join(known)
    if name.startswith("tu-"):
        known, accepted = [f"tu-{model}" for model in timm.list_models()], "tu- and one of timm.list_models()"
    if name not in known and not (name.startswith("tu-") and timm.is_model(name[3:])):  # timm knows tags beside
        close = nearest(name, known)
        hint = f"; did you mean {close!r}?" if close else ""
        raise ConfigError(f"segmentation-models-pytorch has no encoder named {name!r}{hint} (accepted: {accepted})")


def check_options(name: str, given: Mapping[str, Any], accepted: Sequence[str]) -> None:
    """Refuse an option that is not accepted.

    Args:
        name: Whose options they are.
        given: What a recipe says.
        accepted: Names that are accepted.

    Raises:
        ConfigError: One is not.
    """
    for option in given:
        if option not in accepted:
            hint = did_you_mean(option, accepted)
            raise ConfigError(f"no option of {name} named {option!r}{hint} (accepted: {', '.join(accepted)})")


def rename_smp_keys(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a library's model as one of a segmenter of `smp:ENCODER+smp:DECODER`.

    Args:
        state: Keys as in the library's segmenter.

    Example:
        >>> import torch
        >>> list(rename_smp_keys({"encoder.conv1.weight": torch.ones(1), "segmentation_head.0.bias": torch.ones(1)}))
        ['encoder.model.conv1.weight', 'decoder.segmentation_head.0.bias']
    """
    parts = {"encoder": "encoder.model", "decoder": "decoder.decoder", "segmentation_head": "decoder.segmentation_head"}
    split = [(key.split(".", 1), value) for key, value in state.items()]
    return {f"{parts[part]}.{rest}": value for (part, rest), value in split}
