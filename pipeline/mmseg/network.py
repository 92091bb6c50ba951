"""The network of a recipe from `model.backbone` and `model.decode_head`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.mmseg.settings import Settings, shorten

BACKBONE, HEAD, USUAL = "model.backbone", "model.decode_head", "EncoderDecoder"
Options = dict[str, Any]
INSTEAD = "give a network of your own with --network, such as --network mobilenet_v2_100+smp:DeepLabV3Plus"
DROPOUT = 0.1  # before the classifier, in mmseg and in ours
CONVNEXTS = ("tiny", "small", "base", "large", "xlarge")
MIT_DEPTHS = {
    (32, (2, 2, 2, 2)): "b0", (64, (2, 2, 2, 2)): "b1", (64, (3, 4, 6, 3)): "b2", (64, (3, 4, 18, 3)): "b3",
    (64, (3, 8, 27, 3)): "b4", (64, (3, 6, 40, 3)): "b5",
}  # fmt: skip


@dataclass(frozen=True)
class Carried:
    """A network in the words of a recipe.

    Attributes:
        name: Of the network.
        options: Its `network_options`.
        attention: Its `attention`.
        same: Whether it computes what mmseg's network does, so that mmseg's checkpoints load.
    """

    name: str
    options: Options
    attention: dict[str, str] | None = None
    same: bool = False


def carry_network(settings: Settings, given: str | None) -> Carried:
    """The network that a config describes.

    Args:
        settings: The config.
        given: A network to take instead, by a name of ours.

    Raises:
        ConfigError: There is no such network here.
    """
    settings.expect("model.type", USUAL, f"only {USUAL} has a counterpart")
    if given is not None:
        settings.tell(BACKBONE, f"the network was given as {given}; the config's is {_called(settings)}")
        settings.pass_over(HEAD)
        return Carried(given, {})
    kind, several = settings.take("model.type", USUAL), settings.find(f"{HEAD}.0") is not None
    if kind != USUAL or several:  # heads one after the other, several encoders
        raise ConfigError(f"no network here for {kind} of {_called(settings)}; {INSTEAD}")
    backbone, head = settings.need(f"{BACKBONE}.type"), settings.need(f"{HEAD}.type")
    if (backbone, head) == ("MSCAN", "LightHamHead"):
        return _segnext(settings)
    if backbone not in BACKBONES or head not in HEADS:
        known = f"backbones: {', '.join(['MSCAN', *BACKBONES])}; heads: LightHamHead of MSCAN, {', '.join(HEADS)}"
        raise ConfigError(f"no network here for {_called(settings)} ({known}); {INSTEAD}")
    if (neck := settings.find("model.neck")) is not None and head != "FPNHead":
        raise neck.place.error(f"no network here with a neck between {backbone} and {head}; {INSTEAD}")
    encoder, encoder_options, stride = BACKBONES[backbone](settings)
    decoder, decoder_options = HEADS[head](settings, stride)
    options = {"encoder": encoder_options, "decoder": decoder_options}
    settings.tell(
        f"{BACKBONE}.type",
        f"{backbone} with {head} becomes {encoder}+{decoder}, which is close and not the same: mmseg's checkpoints "
        "do not load (see docs/from-mmseg.md)",
    )
    _pass_over_details(settings)
    return Carried(f"{encoder}+{decoder}", {part: given for part, given in options.items() if given})


def _called(settings: Settings) -> str:
    return " with ".join(_types(settings, part) for part in (BACKBONE, HEAD))


def _types(settings: Settings, part: str) -> str:
    """The type of a part, or the types of several that follow one another."""
    found = settings.find(part)
    if found is None:
        return f"no {part.rpartition('.')[2]}"
    paths = [f"{part}.{number}" for number in range(len(found.value))] if isinstance(found.value, list) else [part]
    return ", then ".join(str(settings.take(f"{path}.type", "no type")) for path in paths)


def _pass_over_details(settings: Settings) -> None:
    """What follows from the network's name."""
    for name in ("in_channels", "in_index", "norm_cfg", "num_convs", "concat_input", "c1_in_channels", "c1_channels"):
        settings.pass_over(f"{HEAD}.{name}")
    for name in ("norm_cfg", "out_indices", "num_stages", "style", "contract_dilation", "norm_eval", "act_cfg"):
        settings.pass_over(f"{BACKBONE}.{name}")
    settings.expect(f"{HEAD}.dropout_ratio", DROPOUT, "the decoders of smp have dropout rates of their own")


def _segnext(settings: Settings) -> Carried:
    """SegNeXt T, S, B or L by its sizes."""
    from foveate.pipeline.models.mscan import VARIANTS as ENCODERS
    from foveate.pipeline.models.segnext import VARIANTS

    widths, depths = settings.need(f"{BACKBONE}.embed_dims"), settings.need(f"{BACKBONE}.depths")
    channels = settings.take(f"{HEAD}.channels", 512)
    fits = [
        name
        for name, variant in VARIANTS.items()
        if [list(ENCODERS[variant.encoder].channels), list(ENCODERS[variant.encoder].depths)] == [widths, depths]
    ]
    if not fits:
        raise ConfigError(f"no SegNeXt here with embed_dims {widths} and depths {depths}; {INSTEAD}")
    _check_mscan(settings)
    variant = VARIANTS[fits[0]]
    drop_path = settings.take(f"{BACKBONE}.drop_path_rate", 0.0)
    encoder: Options = {} if drop_path == ENCODERS[variant.encoder].drop_path else {"drop_path": drop_path}
    decoder = _light_ham(settings)
    dropout = settings.take(f"{HEAD}.dropout_ratio", DROPOUT)
    if channels == variant.decoder_channels and dropout == DROPOUT:
        rank = {} if decoder["rank"] == variant.rank else {"rank": decoder["rank"]}
        return Carried(fits[0], {**encoder, **rank}, {"gate": "msca"}, same=True)
    decoder = {"channels": channels, "dropout": dropout, **decoder}
    options = {"encoder": encoder, "decoder": decoder} if encoder else {"decoder": decoder}
    return Carried(f"{variant.encoder}+light_ham", options, {"gate": "msca"}, same=True)


def _check_mscan(settings: Settings) -> None:
    """What SegNeXt's encoder has no option for here."""
    fixed: Mapping[str, Any] = {
        "mlp_ratios": [8, 8, 4, 4],
        "attention_kernel_sizes": [5, [1, 7], [1, 11], [1, 21]],
        "attention_kernel_paddings": [2, [0, 3], [0, 5], [0, 10]],
        "drop_rate": 0.0,
        "act_cfg": {"type": "GELU"},
        "num_stages": 4,
        "in_channels": 3,
    }
    for name, value in fixed.items():
        given = settings.take(f"{BACKBONE}.{name}", value)
        if given != value:
            place = settings.find(f"{BACKBONE}.{name}")
            assert place is not None
            raise place.place.error(f"{name} = {shorten(given)}: SegNeXt has {value} here; {INSTEAD}")
    settings.pass_over(f"{BACKBONE}.norm_cfg", f"{HEAD}.norm_cfg", f"{HEAD}.in_channels", f"{HEAD}.ham_channels")
    settings.expect(f"{HEAD}.in_index", [1, 2, 3], "the decoder takes strides 8, 16 and 32")


def _light_ham(settings: Settings) -> Options:
    ham = f"{HEAD}.ham_kwargs"
    settings.pass_over(f"{ham}.inv_t")  # mmseg sets it to 1 whatever it is
    settings.expect(f"{ham}.MD_S", 1, "the factorisation has one part")
    settings.expect(f"{ham}.train_steps", 6, "the factorisation has 6 steps in training")
    settings.expect(f"{ham}.eval_steps", 7, "the factorisation has 7 steps at evaluation")
    if settings.take(f"{ham}.rand_init", True):
        settings.tell(
            f"{ham}.rand_init",
            "at evaluation mmseg draws random bases for every image, so that the same image gives different answers; "
            "here they are drawn once and stored with the weights (network_options eval_bases: random is mmseg's way)",
        )
    return {"rank": settings.take(f"{ham}.MD_R", 64)}


def _stride(settings: Settings, first: int, strides: list[int]) -> int:
    """The encoder's last stride, from the strides of its stages."""
    given = settings.take(f"{BACKBONE}.strides", strides)
    settings.pass_over(f"{BACKBONE}.dilations")
    return int(first * math.prod(given))


def _dilated(stride: int) -> Options:
    return {} if stride == 32 else {"output_stride": stride}


def _mobilenet_v2(settings: Settings) -> tuple[str, Options, int]:
    width = settings.take(f"{BACKBONE}.widen_factor", 1.0)
    stride = _stride(settings, 2, [1, 2, 2, 2, 1, 2, 1])
    return f"mobilenet_v2_{round(width * 100):03d}", _dilated(stride), stride


def _resnet(settings: Settings) -> tuple[str, Options, int]:
    depth = settings.need(f"{BACKBONE}.depth")
    stride = _stride(settings, 4, [1, 2, 2, 2])
    kind = settings.take(f"{BACKBONE}.type")
    if kind != "ResNet":
        settings.tell(
            f"{BACKBONE}.depth", f"{kind} has a stem of three 3 x 3 convolutions, smp:resnet{depth} one of 7 x 7"
        )
    return f"smp:resnet{depth}", _dilated(stride), stride


def _mix_transformer(settings: Settings) -> tuple[str, Options, int]:
    size = (settings.take(f"{BACKBONE}.embed_dims", 64), tuple(settings.take(f"{BACKBONE}.num_layers", [3, 4, 6, 3])))
    if size not in MIT_DEPTHS:
        raise ConfigError(f"no MixVisionTransformer here with embed_dims and num_layers {size}; {INSTEAD}")
    for name in ("num_heads", "patch_sizes", "sr_ratios", "mlp_ratio", "qkv_bias", "drop_rate", "attn_drop_rate"):
        settings.pass_over(f"{BACKBONE}.{name}")
    settings.pass_over(f"{BACKBONE}.in_channels")
    settings.expect(f"{BACKBONE}.drop_path_rate", 0.1, "smp's encoder has 0.1")
    return f"smp:mit_{MIT_DEPTHS[size]}", {}, 32


def _convnext(settings: Settings) -> tuple[str, Options, int]:
    arch = settings.take(f"{BACKBONE}.arch", "tiny")
    if arch not in CONVNEXTS:
        raise ConfigError(f"no ConvNeXt here of arch {shorten(arch)}; {INSTEAD}")
    drop_path = settings.take(f"{BACKBONE}.drop_path_rate", 0.0)
    for name in ("layer_scale_init_value", "gap_before_final_norm"):
        settings.pass_over(f"{BACKBONE}.{name}")
    return f"timm:convnext_{arch}", {"drop_path_rate": drop_path} if drop_path else {}, 32


def _deeplab(name: str) -> Callable[[Settings, int], tuple[str, Options]]:
    def carry(settings: Settings, stride: int) -> tuple[str, Options]:
        rates = settings.take(f"{HEAD}.dilations", [1, 6, 12, 18])
        options = {
            "decoder_channels": settings.take(f"{HEAD}.channels", 512),
            "decoder_atrous_rates": rates[1:],
            "encoder_output_stride": min(stride, 16),
        }
        return name, options

    return carry


def _psp(settings: Settings, stride: int) -> tuple[str, Options]:
    settings.pass_over(f"{HEAD}.pool_scales")
    return "smp:PSPNet", {"psp_out_channels": settings.take(f"{HEAD}.channels", 512), "encoder_depth": 5}


def _upernet(settings: Settings, stride: int) -> tuple[str, Options]:
    settings.pass_over(f"{HEAD}.pool_scales")
    return "smp:UPerNet", {"decoder_channels": settings.take(f"{HEAD}.channels", 512)}


def _segformer(settings: Settings, stride: int) -> tuple[str, Options]:
    return "smp:Segformer", {"decoder_segmentation_channels": settings.take(f"{HEAD}.channels", 256)}


def _fpn(settings: Settings, stride: int) -> tuple[str, Options]:
    settings.pass_over(f"{HEAD}.feature_strides", "model.neck")
    return "smp:FPN", {"decoder_segmentation_channels": settings.take(f"{HEAD}.channels", 128)}


BACKBONES: Mapping[str, Callable[[Settings], tuple[str, Options, int]]] = {
    "MobileNetV2": _mobilenet_v2,
    "ResNet": _resnet,
    "ResNetV1c": _resnet,
    "ResNetV1d": _resnet,
    "MixVisionTransformer": _mix_transformer,
    "mmpretrain.ConvNeXt": _convnext,
}
HEADS: Mapping[str, Callable[[Settings, int], tuple[str, Options]]] = {
    "DepthwiseSeparableASPPHead": _deeplab("smp:DeepLabV3Plus"),
    "ASPPHead": _deeplab("smp:DeepLabV3"),
    "PSPHead": _psp,
    "UPerHead": _upernet,
    "FPNHead": _fpn,
    "SegformerHead": _segformer,
}
