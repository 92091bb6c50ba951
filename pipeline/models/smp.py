"""segmentation-models-pytorch behind our contracts: its encoders, and its decoders over any encoder.

The library has no types; what it returns is typed here, and `Any` goes no further. Nothing is downloaded.
"""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations_with_replacement, pairwise
from math import log2
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.slots import Attention, check_slots
from foveate.pipeline.models.timm import FeatureEncoder
from foveate.plugins.blocks import SlotSpec, create_slot
from foveate.plugins.hints import did_you_mean

PREFIX = "smp:"
ARCHITECTURES = (
    "Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "PSPNet",
    "DeepLabV3", "DeepLabV3Plus", "PAN", "UPerNet", "Segformer", "DPT",
)  # fmt: skip
LEAST_CELLS = {"PAN": 8}  # of the coarsest feature's side, which it halves three times
TAKES_ANY = "FPN, UPerNet and Segformer take the features of any encoder"
OURS = ("self", "encoder_name", "encoder_weights", "in_channels", "classes", "activation", "aux_params", "kwargs")


def list_encoders() -> list[str]:
    """The library's own encoders, as `create_encoder` takes them; `smp:tu-NAME` of timm beside. Imports the library."""
    from segmentation_models_pytorch.encoders import get_encoder_names

    return [PREFIX + name for name in get_encoder_names() if not name.startswith(("timm-", "foveate-"))]


def list_decoders() -> list[str]:
    """The library's decoders, as `create_decoder` takes them."""
    return [PREFIX + name for name in ARCHITECTURES]


class SmpEncoder(FeatureEncoder):
    """An encoder of the library; the keys under `model.` are the library's.

    The library's list starts with the image, and holds an empty feature where a stride is missing: neither is given.
    """

    def __init__(self, model: nn.Module, attention: SlotSpec) -> None:
        widths: Sequence[int] = model.out_channels  # type: ignore[assignment]
        coarsest: int = model.output_stride  # type: ignore[assignment]
        taken = [level for level, width in enumerate(widths) if level and width]
        strides = [min(2**level, coarsest) for level in taken]
        super().__init__(model, [widths[level] for level in taken], strides, attention)
        self.taken = tuple(taken)

    def extract(self, image: Float[Tensor, "B I H W"]) -> Sequence[Tensor]:
        features = super().extract(image)
        return [features[level] for level in self.taken]


def create_encoder(
    name: str, *, in_channels: int = 3, attention: Attention | None = None, **options: Any
) -> SmpEncoder:
    """Build an encoder of the library, from nothing.

    Args:
        name: smp:NAME, or smp:tu-NAME for one of timm's.
        in_channels: Channels of the image.
        attention: Blocks for the slot `stage`, after each feature.
        options: `depth` (how often the sides are halved, 5 if not given) and `output_stride` (8 or 16: later stages
            are dilated instead, where the encoder can); for smp:tu-NAME also what `timm.create_model` takes.

    Raises:
        ConfigError: The name is unknown, or an option is not accepted.
        BlockConfigError: The encoder has no such slot.
    """
    from segmentation_models_pytorch.encoders import get_encoder

    slots = check_slots(attention, ("stage",), name)
    short = name.removeprefix(PREFIX)
    _check_encoder(short)
    if not short.startswith("tu-"):
        _check_options(name, options, ["depth", "output_stride"])
    try:
        model: nn.Module = get_encoder(short, in_channels=in_channels, weights=None, **options)
    except (TypeError, ValueError, RuntimeError, AssertionError, NotImplementedError) as error:
        hint = f"; timm:{short[3:]} may do" if short.startswith("tu-") else ""
        raise ConfigError(f"{name} cannot be built so: {error}{hint}") from error
    return SmpEncoder(model, slots.get("stage"))


def _check_encoder(name: str) -> None:
    import timm
    from segmentation_models_pytorch.encoders import get_encoder_names

    known: list[str] = get_encoder_names()
    accepted = ", ".join(known)
    if name.startswith("tu-"):
        known, accepted = [f"tu-{model}" for model in timm.list_models()], "tu- and one of timm.list_models()"
    if name not in known and not (name.startswith("tu-") and timm.is_model(name[3:])):  # timm knows tags beside
        hint = did_you_mean(name, known)
        raise ConfigError(f"segmentation-models-pytorch has no encoder named {name!r}{hint} (accepted: {accepted})")


def _check_options(name: str, given: Mapping[str, Any], accepted: Sequence[str]) -> None:
    for option in given:
        if option not in accepted:
            hint = did_you_mean(option, accepted)
            raise ConfigError(f"no option of {name} named {option!r}{hint} (accepted: {', '.join(accepted)})")


def choose_features(strides: Sequence[int], levels: Sequence[int]) -> tuple[int, ...]:
    """Which feature stands for each stride that a decoder wants: as near as can be, and each another if possible.

    Among equals the choice is spread out and late: of twelve features at one stride (a plain ViT) every third.

    Example:
        >>> choose_features((2, 4, 8, 16, 32), (4, 8, 16, 32)), choose_features((16,) * 12, (4, 8, 16, 32))
        ((1, 2, 3, 4), (2, 5, 8, 11))
    """

    def merit(chosen: tuple[int, ...]) -> tuple[float, int, int, tuple[int, ...]]:
        off = sum(abs(log2(strides[index] / level)) for index, level in zip(chosen, levels, strict=True))
        gaps = [later - earlier for earlier, later in pairwise(chosen)]
        return -off, len(set(chosen)), min(gaps, default=0), chosen

    return max(combinations_with_replacement(range(len(strides)), len(levels)), key=merit)


@dataclass(frozen=True, kw_only=True)
class Source:
    """One feature as a decoder gets it: which of the encoder's (None: an empty one), its stride, and the one wanted."""

    index: int | None
    stride: int
    target: int


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Features brought onto one canvas, which the coarsest stride divides: decoders double sides, and add.

    A feature is continued by its last row and column, so that each cell stays where it was; where its stride is not
    the wanted one it is resized. Sides that every stride divides are left as they are.
    """

    sources: tuple[Source, ...]
    multiple: int  # pixels
    least: int = 0  # pixels

    def canvas(self, features: Sequence[Tensor]) -> tuple[int, int]:
        """Height and width in pixels."""
        last = self.sources[-1]
        height, width = features[last.index or 0].shape[2:]
        return self._side(height * last.stride), self._side(width * last.stride)

    def _side(self, pixels: int) -> int:
        return max(-(-pixels // self.multiple) * self.multiple, self.least)

    def lay_out(self, features: Sequence[Tensor]) -> list[Tensor]:
        """The features (B, C, h, w), finest first, that the decoder wants."""
        canvas = self.canvas(features)
        return [_fit(features, source, canvas) for source in self.sources]


def _fit(features: Sequence[Tensor], source: Source, canvas: tuple[int, int]) -> Tensor:
    height, width = (side // source.target for side in canvas)
    if source.index is None:
        return features[0].new_empty(features[0].shape[0], 0, height, width)
    feature = _continued(features[source.index], *(-(-side // source.stride) for side in canvas))
    if source.stride == source.target:
        return feature
    return F.interpolate(feature, size=(height, width), mode="bilinear", align_corners=False)


def _continued(x: Tensor, height: int, width: int) -> Tensor:
    """Filled up to this size by the last row and column."""
    right, below = width - x.shape[3], height - x.shape[2]
    if not torch.compiler.is_compiling() and right == below == 0:  # a traced graph holds for other sizes too
        return x
    return F.pad(x, (0, right, 0, below), mode="replicate")


class SmpDecoder(nn.Module):
    """A decoder of the library and its segmentation head, with the slot `decoder` between them.

    Keys are the library's under `decoder.` and `segmentation_head.`.

    Args:
        decoder: From the laid out features to one, finer one.
        segmentation_head: From that to logits; it may upsample.
        grid: Which of the encoder's features are taken, and how they are laid out.
        strides: Stride of each feature of the encoder.
        attention: Blocks for the slot `decoder`.
    """

    stride = 1  # measured when built

    def __init__(
        self, decoder: nn.Module, segmentation_head: nn.Module, grid: Grid, strides: Sequence[int], attention: SlotSpec
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self.segmentation_head = segmentation_head
        self.grid = grid
        self.finest = strides[0]
        width = next(module.in_channels for module in segmentation_head.modules() if isinstance(module, nn.Conv2d))
        self.attention = create_slot(attention, width)

    def decode(self, features: Sequence[Tensor]) -> Float[Tensor, "B K h w"]:
        """Logits of the whole canvas."""
        decoded = self.attention(self.decoder(self.grid.lay_out(features)))
        logits: Tensor = self.segmentation_head(decoded)
        return logits

    def forward(self, features: Sequence[Tensor]) -> Float[Tensor, "B K h w"]:
        height, width = (-(-side * self.finest // self.stride) for side in features[0].shape[2:])
        return self.decode(features)[..., :height, :width]


class DptDecoder(SmpDecoder):
    """DPT's decoder without class tokens, which an encoder does not hand over."""

    def decode(self, features: Sequence[Tensor]) -> Float[Tensor, "B K h w"]:
        laid_out = self.grid.lay_out(features)
        logits: Tensor = self.segmentation_head(self.attention(self.decoder(laid_out, [None] * len(laid_out))))
        return logits


def create_decoder(
    name: str,
    *,
    in_channels: Sequence[int],
    strides: Sequence[int],
    num_classes: int,
    attention: SlotSpec = None,
    **options: Any,
) -> SmpDecoder:
    """Build a decoder of the library, with its segmentation head, over the features of any encoder.

    A decoder wants features at strides 2, 4, 8, 16 and 32 (`encoder_depth` of them); each is the encoder's nearest,
    resized where the stride is another. Without one at stride 2 an empty feature stands there, as in the library.
    DeepLabV3, DeepLabV3Plus and PAN want the last feature at `encoder_output_stride` (8, 16, 16): an encoder that was
    not built with that `output_stride` has its last features resized up. PSPNet takes strides 2 to 8 unless
    `encoder_depth` says more: the encoder's later stages then learn nothing. DPT takes four features, and no class
    token.

    Args:
        name: smp:ARCHITECTURE, one of `list_decoders()`.
        in_channels: Width of each feature of the encoder, finest first.
        strides: Stride of each.
        num_classes: Channels of the logits.
        attention: Blocks for the slot `decoder`, before the segmentation head.
        options: What the library's architecture takes, such as decoder_channels.

    Raises:
        ConfigError: The name is unknown, an option is not accepted, or the decoder cannot work over these features.

    Example:
        >>> create_decoder("smp:FPN", in_channels=(24, 32, 48, 64), strides=(4, 8, 16, 32), num_classes=5).stride
        1
    """
    architecture = name.removeprefix(PREFIX)
    if architecture not in ARCHITECTURES:
        hint = did_you_mean(architecture, ARCHITECTURES)
        accepted = ", ".join(ARCHITECTURES)
        raise ConfigError(
            f"segmentation-models-pytorch has no decoder named {architecture!r}{hint} (accepted: {accepted})"
        )
    features = Features(channels=tuple(in_channels), strides=tuple(strides))
    try:
        build = _build_dpt if architecture == "DPT" else _build
        model = build(architecture, features, num_classes, attention, options)
        model.stride = _measure_stride(model, features)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise ConfigError(f"{name} cannot be built so over {features}: {error} ({TAKES_ANY})") from error
    return model


@dataclass(frozen=True, kw_only=True)
class Features:
    """What an encoder gives."""

    channels: tuple[int, ...]
    strides: tuple[int, ...]

    def __str__(self) -> str:
        return f"features of {self.channels} channels at strides {self.strides}"


def _build(
    architecture: str, features: Features, num_classes: int, attention: SlotSpec, given: Mapping[str, Any]
) -> SmpDecoder:
    import segmentation_models_pytorch as smp

    network = getattr(smp, architecture)
    options = _options(architecture, network, given)
    levels = [2**exponent for exponent in range(1, options["encoder_depth"] + 1)]
    if isinstance(options.get("decoder_channels"), tuple) and "decoder_channels" not in given:
        options["decoder_channels"] = options["decoder_channels"][: len(levels)]
    sources = _sources(features.strides, levels, options.get("encoder_output_stride", levels[-1]))
    least = LEAST_CELLS.get(architecture, 1) * sources[-1].target
    widths = [0 if source.index is None else features.channels[source.index] for source in sources]
    with _announced(widths) as encoder:
        built = network(encoder, encoder_weights=None, classes=num_classes, **options)
    grid = Grid(sources=sources, multiple=levels[-1], least=least)
    return SmpDecoder(built.decoder, built.segmentation_head, grid, features.strides, attention)


def _options(architecture: str, network: type[nn.Module], given: Mapping[str, Any]) -> dict[str, Any]:
    """Every option of the architecture, as given or the library's default."""
    parameters = inspect.signature(network.__init__).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items() if name not in OURS}
    _check_options(PREFIX + architecture, given, list(defaults))
    return {**defaults, **given}


def _sources(strides: Sequence[int], levels: Sequence[int], coarsest: int) -> tuple[Source, ...]:
    """What stands at the image's place (nothing but its size is looked at), and at each level."""
    image = Source(index=None, stride=1, target=1)
    chosen = (strides.index(2) if 2 in strides else None, *choose_features(strides, levels[1:]))
    sources = [
        Source(index=index, stride=level if index is None else strides[index], target=min(level, coarsest))
        for index, level in zip(chosen, levels, strict=True)
    ]
    return (image, *sources)


DPT_OPTIONS = {
    "decoder_readout": "ignore",
    "decoder_intermediate_channels": (256, 512, 1024, 1024),
    "decoder_fusion_channels": 256,
}


def _build_dpt(
    architecture: str, features: Features, num_classes: int, attention: SlotSpec, given: Mapping[str, Any]
) -> DptDecoder:
    from segmentation_models_pytorch.base.initialization import initialize_decoder, initialize_head
    from segmentation_models_pytorch.decoders.dpt.decoder import DPTDecoder, DPTSegmentationHead

    _check_options(PREFIX + architecture, given, list(DPT_OPTIONS))
    options: dict[str, Any] = {**DPT_OPTIONS, **given}
    readout, widths, fused = options.values()
    if readout != "ignore":
        raise ConfigError(
            f"smp:DPT: decoder_readout={readout!r} needs the class token of a ViT, which an encoder does not hand over "
            "(accepted: ignore)"
        )
    grid = _dpt_grid(features.strides, len(widths))
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
    return DptDecoder(decoder, head, grid, features.strides, attention)


def _dpt_grid(strides: Sequence[int], count: int) -> Grid:
    """Strides 4, 8, 16, 32. DPT resizes by powers of two with weights of its own; the rest is brought to the level."""
    levels = [4 * 2**index for index in range(count)]
    sources = [
        Source(index=index, stride=strides[index], target=strides[index] if log2(strides[index]) % 1 == 0 else level)
        for index, level in zip(choose_features(strides, levels), levels, strict=True)
    ]
    return Grid(sources=tuple(sources), multiple=max(*levels, *(source.target for source in sources)))


class _Announcement(nn.Module):
    """An encoder as far as the library's constructors look at one: it says how wide its features are."""

    def __init__(self, out_channels: list[int], depth: int, output_stride: int) -> None:
        super().__init__()
        self.out_channels = out_channels

    def set_in_channels(self, in_channels: int, pretrained: bool) -> None:
        """Nothing looks at the image."""

    def make_dilated(self, output_stride: int) -> None:
        """The features are what they are."""


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


def _measure_stride(model: SmpDecoder, encoder: Features) -> int:
    """Pixels between two logits, by running the decoder over small features of zeros."""
    side = 2 * model.grid.multiple  # a single cell is too little for some norms
    sides = [-(-side // stride) for stride in encoder.strides]
    features = [torch.zeros(1, width, side, side) for width, side in zip(encoder.channels, sides, strict=True)]
    with torch.no_grad():
        rows = model.eval().decode(features).shape[2]
    model.train()
    height = model.grid.canvas(features)[0]
    if rows > height:
        raise ConfigError(f"upsampling: {rows} rows of logits for {height} of the image; ask for less")
    return height // rows


def rename_smp_keys(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a library's model as one of a segmenter of `smp:ENCODER+smp:DECODER`.

    Example:
        >>> list(rename_smp_keys({"encoder.conv1.weight": torch.ones(1), "segmentation_head.0.bias": torch.ones(1)}))
        ['encoder.model.conv1.weight', 'decoder.segmentation_head.0.bias']
    """
    parts = {"encoder": "encoder.model", "decoder": "decoder.decoder", "segmentation_head": "decoder.segmentation_head"}
    split = [(key.split(".", 1), value) for key, value in state.items()]
    return {f"{parts[part]}.{rest}": value for (part, rest), value in split}
