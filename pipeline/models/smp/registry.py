"""Our encoders under their names in segmentation-models-pytorch, for those who want nothing else of ours.

Example:
    >>> import segmentation_models_pytorch as smp
    >>> register_encoders()[0]
    'foveate-mscan_t'
    >>> smp.Unet("foveate-mscan_t", encoder_weights=None, classes=19).encoder.out_channels
    [3, 0, 32, 64, 160, 256]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from jaxtyping import Float
from segmentation_models_pytorch.encoders import encoders
from segmentation_models_pytorch.encoders._base import EncoderMixin
from torch import Tensor, nn

from foveate.pipeline.models import conv_attention, mobilenet_v2

PREFIX = "foveate-"
FAMILIES = (conv_attention, mobilenet_v2)


def register_encoders() -> list[str]:
    """Put our encoders into the library's table, and return their names there. A second call changes nothing."""
    entries = {
        f"{PREFIX}{name}": {
            "encoder": partial(RegisteredEncoder, build=partial(family.create_encoder, name)),
            "params": {},
            "pretrained_settings": {},
        }
        for family in FAMILIES
        for name in family.NAMES
    }
    encoders.update(entries)
    return list(entries)


class RegisteredEncoder(nn.Module, EncoderMixin):  # type: ignore[misc]
    """One of our encoders by the library's conventions.

    Calling it gives a list: the image, an empty feature where our first stride is 4, and our features, `depth` of
    them after the image.

    Args:
        depth: How often the sides are halved.
        output_stride: Of the last feature; `make_dilated` brings it about.
        build: Gives our encoder.
    """

    def __init__(self, depth: int = 5, output_stride: int = 32, *, build: partial[nn.Module]) -> None:
        super().__init__()
        self.encoder = build()
        widths: Sequence[int] = self.encoder.channels  # type: ignore[assignment]
        self.empty = len(widths) == 4  # nothing at stride 2
        self._depth = depth
        self._in_channels = 3
        self._output_stride = output_stride
        self._out_channels = [3, *([0] if self.empty else []), *widths]

    def get_stages(self) -> Mapping[int, Sequence[nn.Module]]:
        """The modules that make the features at strides 16 and 32."""
        modules = dict(self.encoder.named_children())
        if "features" in modules:
            body = list(modules["features"].children())
            return {16: body[7:14], 32: body[14:]}
        return {16: [modules["patch_embed3"], modules["block3"]], 32: [modules["patch_embed4"], modules["block4"]]}

    def make_dilated(self, output_stride: int) -> None:
        """Keep the sides from this stride (8 or 16) on: later convolutions are dilated instead."""
        if output_stride not in (8, 16):
            raise ValueError(f"output_stride is 8 or 16, not {output_stride}")
        for stride, stage in self.get_stages().items():
            for module in stage if stride > output_stride else ():
                _dilate(module, stride // output_stride)

    def forward(self, x: Float[Tensor, "B I H W"]) -> list[Tensor]:
        height, width = x.shape[2:]
        empty = [x.new_empty(x.shape[0], 0, height // 2, width // 2)] if self.empty else []
        return [x, *empty, *self.encoder(x)][: self._depth + 1]


def _dilate(module: nn.Module, rate: int) -> None:
    """Set strides to 1 and multiply dilations by `rate`, so that every position keeps its receptive field.

    The library's own function dilates the strided convolution like the later ones, and expects square kernels.
    """
    convolutions: list[Any] = [one for one in module.modules() if isinstance(one, nn.Conv2d)]
    for conv in convolutions:
        conv.dilation = tuple(rate // step * old for step, old in zip(conv.stride, conv.dilation, strict=True))
        conv.padding = tuple(side // 2 * apart for side, apart in zip(conv.kernel_size, conv.dilation, strict=True))
        conv.stride = (1, 1)
