"""The encoders of segmentation-models-pytorch behind our contract, without trained weights.

The library has no types; what it returns is typed here, and `Any` goes no further. Nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.feature_encoder import FeatureEncoder
from foveate.pipeline.models.slots import Attention, check_slots
from foveate.pipeline.models.smp.names import PREFIX, check_encoder, check_options


class SmpEncoder(FeatureEncoder):
    """An encoder of the library; the keys under `model.` are the library's.

    The library's list starts with the image, and holds an empty feature where a stride is missing: neither is given.

    Args:
        model: The library's encoder.
        attention: Blocks for the slot `stage`, after each feature.
        name: Of the encoder, for error messages.
    """

    def __init__(self, model: nn.Module, attention: Attention | None, name: str = "this encoder") -> None:
        widths: Sequence[int] = model.out_channels  # type: ignore[assignment]
        coarsest: int = model.output_stride  # type: ignore[assignment]
        taken = [level for level, width in enumerate(widths) if level and width]
        strides = [min(2**level, coarsest) for level in taken]
        super().__init__(model, [widths[level] for level in taken], strides, attention, name)
        self.taken = tuple(taken)

    def extract(self, image: Float[Tensor, "B I H W"]) -> Sequence[Tensor]:
        features = super().extract(image)
        return [features[level] for level in self.taken]


def create_encoder(
    name: str, *, in_channels: int = 3, attention: Attention | None = None, **options: Any
) -> SmpEncoder:
    """Build an encoder of the library, without trained weights.

    Args:
        name: smp:NAME, or smp:tu-NAME for one of timm's.
        in_channels: Channels of the image.
        attention: Blocks for the slot `stage`, after each feature.
        options: `depth` (how often the sides are halved, 5 if not given) and `output_stride` (8 or 16: later stages
            are dilated instead, where the encoder can); for smp:tu-NAME also what `timm.create_model` takes.

    Raises:
        ConfigError: The name is unknown, or an option is not accepted.
        PluginConfigError: The encoder has no such slot.
    """
    from segmentation_models_pytorch.encoders import get_encoder

    slots = check_slots(attention, ("stage",), name)
    short = name.removeprefix(PREFIX)
    check_encoder(short)
    if not short.startswith("tu-"):
        check_options(name, options, ["depth", "output_stride"])
    try:
        model: nn.Module = get_encoder(short, in_channels=in_channels, weights=None, **options)
    except (TypeError, ValueError, RuntimeError, AssertionError, NotImplementedError) as error:
        hint = f"; timm:{short[3:]} may do" if short.startswith("tu-") else ""
        raise ConfigError(f"{name} cannot be built so: {error}{hint}") from error
    return SmpEncoder(model, slots, name)
