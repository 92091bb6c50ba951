"""The networks of segmentation-models-pytorch built over features instead of an encoder of the library's."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.smp.grid import Features, Grid, create_dpt_grid, create_grid
from foveate.pipeline.models.smp.names import PREFIX, check_options

LEAST_SIDE = {"PAN": 8}  # positions of the coarsest feature's side, which it halves three times
OURS = ("self", "encoder_name", "encoder_weights", "in_channels", "classes", "activation", "aux_params", "kwargs")
DPT_OPTIONS = {
    "decoder_readout": "ignore",
    "decoder_intermediate_channels": (256, 512, 1024, 1024),
    "decoder_fusion_channels": 256,
}


@dataclass(frozen=True, kw_only=True)
class Network:
    """The parts of a library's network that are used, and how features are laid out for it."""

    decoder: nn.Module
    segmentation_head: nn.Module
    grid: Grid


class _Announcement(nn.Module):
    """A stand-in for an encoder: it tells the library's constructors how wide its features are."""

    def __init__(self, out_channels: list[int], depth: int, output_stride: int) -> None:
        super().__init__()
        self.out_channels = out_channels

    def set_in_channels(self, in_channels: int, pretrained: bool) -> None:
        """Do nothing: a decoder does not read the image."""

    def make_dilated(self, output_stride: int) -> None:
        """Do nothing: the features are given."""


@contextmanager
def _announced(widths: Sequence[int]) -> Iterator[str]:
    """A name under which the library finds an encoder of these widths, for as long as it builds a network over it."""
    from segmentation_models_pytorch.encoders import encoders

    name = f"foveate-{uuid.uuid4()}"
    encoders[name] = {"encoder": _Announcement, "params": {"out_channels": list(widths)}, "pretrained_settings": {}}
    try:
        yield name
    finally:
        del encoders[name]


def _options(architecture: str, network: type[nn.Module], given: Mapping[str, Any]) -> dict[str, Any]:
    """Every option of the architecture, as given or the library's default."""
    parameters = inspect.signature(network.__init__).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items() if name not in OURS}
    check_options(PREFIX + architecture, given, list(defaults))
    return {**defaults, **given}


def _build(architecture: str, features: Features, num_classes: int, given: Mapping[str, Any]) -> Network:
    import segmentation_models_pytorch as smp

    network = getattr(smp, architecture)
    options = _options(architecture, network, given)
    levels = [2**exponent for exponent in range(1, options["encoder_depth"] + 1)]
    if isinstance(options.get("decoder_channels"), tuple) and "decoder_channels" not in given:
        options["decoder_channels"] = options["decoder_channels"][: len(levels)]
    coarsest = options.get("encoder_output_stride", levels[-1])
    grid = create_grid(features.strides, levels, coarsest, LEAST_SIDE.get(architecture, 1))
    widths = [0 if source.index is None else features.channels[source.index] for source in grid.sources]
    with _announced(widths) as encoder:
        built = network(encoder, encoder_weights=None, classes=num_classes, **options)
    return Network(decoder=built.decoder, segmentation_head=built.segmentation_head, grid=grid)


def _build_dpt(features: Features, num_classes: int, given: Mapping[str, Any]) -> Network:
    """DPT's, whose own constructor asks for a ViT of timm."""
    from segmentation_models_pytorch.base.initialization import initialize_decoder, initialize_head
    from segmentation_models_pytorch.decoders.dpt.decoder import DPTDecoder, DPTSegmentationHead

    check_options(PREFIX + "DPT", given, list(DPT_OPTIONS))
    options: dict[str, Any] = {**DPT_OPTIONS, **given}
    readout, widths, fused = options.values()
    if readout != "ignore":
        raise ConfigError(
            f"smp:DPT: decoder_readout={readout!r} needs the class token of a ViT, which our encoders do not give "
            "(accepted: ignore)"
        )
    grid = create_dpt_grid(features.strides, len(widths))
    decoder = DPTDecoder(
        encoder_out_channels=[features.channels[source.index or 0] for source in grid.sources],
        encoder_output_strides=[source.target for source in grid.sources],
        encoder_has_prefix_tokens=False,
        readout=readout,
        intermediate_channels=widths,
        fusion_channels=fused,
    )
    head = DPTSegmentationHead(fused, num_classes)
    initialize_decoder(decoder)
    initialize_head(head)
    return Network(decoder=decoder, segmentation_head=head, grid=grid)


def build_network(architecture: str, features: Features, num_classes: int, given: Mapping[str, Any]) -> Network:
    """The decoder and head of one of the library's architectures, with random weights.

    Args:
        architecture: One of `ARCHITECTURES`.
        features: What it is built over.
        num_classes: Channels of the logits.
        given: What the architecture's constructor takes; the library's defaults for the rest.

    Raises:
        ConfigError: An option is not accepted.
        Exception: The library's own, where it cannot be built over these features.
    """
    if architecture == "DPT":
        return _build_dpt(features, num_classes, given)
    return _build(architecture, features, num_classes, given)
