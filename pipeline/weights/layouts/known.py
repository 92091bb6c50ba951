"""The known layouts: those of the papers' authors, mmseg, torchvision and timm, and our own."""

from __future__ import annotations

from foveate.pipeline.weights.layouts.layout import Layout, Pair
from foveate.pipeline.weights.layouts.mobilenet_names import timm_mobilenet_pairs

_MSCA = r"conv0|conv3|conv[0-2]_[12]"
_LKA = r"conv0|conv_spatial|conv1"


def _in(prefix: str, *pairs: Pair) -> tuple[Pair, ...]:
    """Pairs of an encoder's names, with a prefix for theirs and with `encoder.` for ours."""
    return tuple((prefix + theirs, f"encoder.{ours}") for theirs, ours in pairs)


_SHARED = tuple(  # the names that MSCAN and VAN share
    (name, name) for name in ("block{s}.{n}.{rest}", "patch_embed{later}.{rest}", "norm{s}.{rest}")
)
_MSCAN_NAMES = (*_SHARED, ("patch_embed1.proj.{n}.{rest}", "patch_embed1.proj.{n}.{rest}"))
_VAN_NAMES = (*_SHARED, *((f"patch_embed1.{part}.{{p}}", f"patch_embed1.{part}.{{p}}") for part in ("proj", "norm")))
_DOUBLED: Pair = ("block{s}.{n}.mlp.dwconv.dwconv.{rest}", "block{s}.{n}.mlp.dwconv.{rest}")
_HEAD: Pair = ("head.{p}", "head.classifier.{p}")
_LIGHT_HAM = tuple(
    (f"decode_head.{part}.{{rest}}", f"decoder.{part}.{{rest}}")
    for part in ("squeeze", "hamburger", "align", "conv_seg")
)

FOVEATE = Layout(
    name="foveate",
    families=(),
    export="foveate",
    pairs=tuple((f"{part}.{{rest}}", f"{part}.{{rest}}") for part in ("encoder", "decoder", "head", "input")),
)
SEGNEXT = Layout(
    name="official SegNeXt",
    families=("segnext", "mscan"),
    export="official",
    segmenters=True,
    gate=_MSCA,
    pairs=(*_LIGHT_HAM, *_in("backbone.", _DOUBLED, *_MSCAN_NAMES)),
)
VAN_SEGMENTER = Layout(
    name="official VAN in a segmenter",
    families=("van",),
    export="official",
    segmenters=True,
    gate=_LKA,
    pairs=(*_LIGHT_HAM, *_in("backbone.", _DOUBLED, *_VAN_NAMES)),
)
MMSEG = Layout(
    name="mmseg",
    families=("segnext", "mscan"),
    export="mmseg",
    segmenters=True,
    gate=_MSCA,
    pairs=(*_LIGHT_HAM, *_in("backbone.", *_MSCAN_NAMES)),
)
MSCAN = Layout(
    name="official MSCAN",
    families=("mscan",),
    export="official",
    segmenters=False,
    gate=_MSCA,
    pairs=(_HEAD, *_in("", _DOUBLED, *_MSCAN_NAMES)),
)
VAN = Layout(
    name="official VAN",
    families=("van",),
    export="official",
    segmenters=False,
    gate=_LKA,
    pairs=(_HEAD, *_in("", _DOUBLED, *_VAN_NAMES)),
)
TORCHVISION_MOBILENET = Layout(
    name="torchvision MobileNetV2",
    families=("mobilenet_v2",),
    export="torchvision",
    segmenters=False,
    gate="",
    pairs=(
        ("features.18.{n}.{rest}", "head.conv.{n}.{rest}"),
        ("classifier.1.{rest}", "head.classifier.{rest}"),
        ("features.{n}.{rest}", "encoder.features.{n}.{rest}"),
    ),
)
TIMM_MOBILENET = Layout(
    name="timm MobileNetV2",
    families=("mobilenet_v2",),
    export="timm",
    segmenters=False,
    gate="",
    pairs=timm_mobilenet_pairs(),
)
TORCHVISION_VIT = Layout(
    name="torchvision ViT",
    families=("vit",),
    export="torchvision",
    segmenters=False,
    gate="",
    pairs=(
        ("class_token", "encoder.cls_token"),
        ("encoder.pos_embedding", "encoder.pos_embed"),
        ("conv_proj.{rest}", "encoder.patch_embed.proj.{rest}"),
        ("encoder.ln.{rest}", "encoder.norm.{rest}"),
        ("heads.head.{rest}", "head.classifier.{rest}"),
        *(
            (f"encoder.layers.encoder_layer_{{n}}.{theirs}{{rest}}", f"encoder.blocks.{{n}}.{ours}{{rest}}")
            for theirs, ours in (
                ("ln_1.", "norm1."),
                ("ln_2.", "norm2."),
                ("self_attention.in_proj_", "attn.qkv."),
                ("self_attention.out_proj.", "attn.proj."),
                ("mlp.0.", "mlp.fc1."),
                ("mlp.3.", "mlp.fc2."),
            )
        ),
    ),
)
TIMM_VIT = Layout(
    name="timm ViT",
    families=("vit",),
    export="timm",
    segmenters=False,
    gate="",
    offset_half=True,
    pairs=(
        _HEAD,
        ("cls_token", "encoder.cls_token"),
        ("pos_embed", "encoder.pos_embed"),
        *((f"{part}.{{rest}}", f"encoder.{part}.{{rest}}") for part in ("patch_embed", "blocks", "norm")),
    ),
)
SMP = Layout(
    name="segmentation_models_pytorch",
    families=("smp:",),
    segmenters=True,
    pairs=(
        ("encoder.{rest}", "encoder.{rest}"),
        ("decoder.{rest}", "decoder.decoder.{rest}"),
        ("segmentation_head.{rest}", "decoder.segmentation_head.{rest}"),
    ),
)
_HEADS = ("head", "head.fc", "fc", "classifier")  # names of the last layer in timm and torchvision
BARE = tuple(
    Layout(
        name="bare names",
        families=("timm:",),
        segmenters=False,
        pairs=((f"{head}.{{p}}", "head.classifier.{p}"), ("{rest}", "encoder.{rest}")),
    )
    for head in _HEADS
)
TIMM_FEATURES = Layout(
    name="timm",
    families=("timm:",),
    segmenters=False,
    pairs=(  # timm's `features_only` models join the first two words
        *((f"{part}.{{n}}.{{rest}}", f"encoder.{part}_{{n}}.{{rest}}") for part in ("stem", "stages", "layers")),
        ("{rest}", "encoder.{rest}"),
    ),
)

# In order of preference among layouts that match as many names.
SPECIFIC = (
    FOVEATE,
    SEGNEXT,
    VAN_SEGMENTER,
    MMSEG,
    MSCAN,
    VAN,
    TORCHVISION_MOBILENET,
    TIMM_MOBILENET,
    TIMM_VIT,
    TORCHVISION_VIT,
)
LAYOUTS = (*SPECIFIC, SMP, *BARE, TIMM_FEATURES)
