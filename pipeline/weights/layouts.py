"""Layouts: how published files name the tensors of a model, and what we call them.

A layout is a list of pairs of templates, theirs and ours, read in either direction. `{n}` and `{s}` stand for a number,
`{later}` for that of a stage after the first, `{p}` for one word and `{rest}` for whatever follows. Ours are
`encoder.*`, `decoder.*` and `head.*`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from foveate.pipeline.weights.mobilenet_names import timm_mobilenet_pairs

Pair = tuple[str, str]
HOLES = {"n": r"\d+", "s": r"\d+", "later": r"[2-9]", "p": r"[A-Za-z_]+", "rest": r".+"}


class Rule(NamedTuple):
    """Takes a name of one side apart, and puts one of the other together."""

    pattern: re.Pattern[str]
    wanted: str


def compile_rule(given: str, wanted: str) -> Rule:
    """From one template to another.

    Example:
        >>> rule = compile_rule("fc.{p}", "head.{p}")
        >>> rule.wanted.format(**rule.pattern.fullmatch("fc.bias").groupdict())
        'head.bias'
    """
    parts = re.split(r"\{(\w+)\}", given)  # text, hole, text, hole ... text
    pattern = "".join(f"(?P<{part}>{HOLES[part]})" if i % 2 else re.escape(part) for i, part in enumerate(parts))
    return Rule(re.compile(pattern), wanted)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A reversible translation of names.

    Attributes:
        name: What it is called in messages.
        families: What the names of its models begin with; empty if it holds any model.
        pairs: Theirs and ours; the first that fits decides.
        gate: Pattern of the tensors in attention slots that it can name; None if it can name any.
        export: What `foveate weights export --layout` calls it, if it can be written.
        segmenters: Whether it is for segmenters, or for classifiers and bare encoders; None is both.
        offset_half: Whether such weights were trained on images of mean and deviation 0.5.
    """

    name: str
    families: tuple[str, ...]
    pairs: tuple[Pair, ...]
    gate: str | None = None
    export: str | None = None
    segmenters: bool | None = None
    offset_half: bool = False

    @cached_property
    def _to_ours(self) -> list[Rule]:
        return [compile_rule(theirs, ours) for theirs, ours in self.pairs]

    @cached_property
    def _from_ours(self) -> list[Rule]:
        return [compile_rule(ours, theirs) for theirs, ours in self.pairs]

    def to_ours(self, name: str) -> str | None:
        """Our name of a tensor in the file; None if the layout does not know it."""
        ours = _translate(name, self._to_ours)
        return ours if ours is not None and self.from_ours(ours) == name else None

    def from_ours(self, name: str) -> str | None:
        """The file's name of a tensor of ours; None if the layout has no place for it."""
        return _translate(name, self._from_ours)


def _translate(name: str, rules: list[Rule]) -> str | None:
    for pattern, wanted in rules:
        if found := pattern.fullmatch(name):
            return wanted.format(**found.groupdict())
    return None


_MSCA = r"conv0|conv3|conv[0-2]_[12]"
_LKA = r"conv0|conv_spatial|conv1"


def _in(prefix: str, *pairs: Pair) -> tuple[Pair, ...]:
    """Pairs of an encoder's names, theirs behind a prefix and ours behind `encoder.`."""
    return tuple((prefix + theirs, f"encoder.{ours}") for theirs, ours in pairs)


_SHARED = tuple(  # what MSCAN and VAN have in common
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
_HEADS = ("head", "head.fc", "fc", "classifier")  # what the last layer is called, by timm and torchvision
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
    pairs=(  # where timm gives out features, it joins the first two words
        *((f"{part}.{{n}}.{{rest}}", f"encoder.{part}_{{n}}.{{rest}}") for part in ("stem", "stages", "layers")),
        ("{rest}", "encoder.{rest}"),
    ),
)

# In the order of preference among those that know as many names.
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
LAYOUTS = (*SPECIFIC, *BARE, TIMM_FEATURES)
