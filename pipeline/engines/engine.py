"""The interface of all engines: a callable from normalised images to logits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.segmenter import Segmenter
from foveate.pipeline.models.upsampling import classify, classify_upsampled, upsample
from foveate.plugins.hints import did_you_mean
from foveate.plugins.ops.precision import without_autocast

Run = Callable[[Tensor], Tensor]
Precision = Literal["float32", "bfloat16"]
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Engine:
    """A trained network, prepared for many calls. It uses the weights that the network had when it was created.

    Its precision is fixed: autocast around a call has no effect.

    Attributes:
        name: torch, folded, compile or openvino.
        run: From normalised images (B, C, H, W) to logits; those of a segmenter are at its stride.
        coarse: Whether the logits of `run` still have to be upsampled to the size of the image.
        note: Information for the user: why it was chosen, what happens at another image size.
    """

    name: str
    run: Run
    coarse: bool
    note: str = ""

    def __call__(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B ..."]:
        """The logits of the network in evaluation mode: per image, or per pixel."""
        with torch.inference_mode(), without_autocast(image.device):
            logits = self.run(image)
            return upsample(logits, (image.shape[2], image.shape[3])) if self.coarse else logits

    def decode(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B ..."]:
        """Logits as `run` gives them, not resized."""
        with torch.inference_mode(), without_autocast(image.device):
            return self.run(image)

    def classify(self, image: Float[Tensor, "B C H W"]) -> Int64[Tensor, "B ..."]:
        """The most likely class of each image or pixel: the same as `engine(image).argmax(1)`, but faster."""
        with torch.inference_mode(), without_autocast(image.device):
            logits = self.run(image)
            return classify_upsampled(logits, (image.shape[2], image.shape[3])) if self.coarse else classify(logits)


def is_coarse(network: nn.Module) -> bool:
    """Whether a network is a segmenter that upsamples its logits as its last operation."""
    return isinstance(network, Segmenter) and network.stride > 1


class Core(nn.Module):
    """A network without the upsampling at its end."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.coarse = is_coarse(network)

    def forward(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B ..."]:
        out: Tensor = (
            self.network.decode(image) if isinstance(self.network, Segmenter) and self.coarse else self.network(image)
        )
        return out


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Autocast to bfloat16, or a context without autocast for float32."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()


def check_precision(precision: str) -> None:
    """Check that a precision exists.

    Raises:
        ConfigError: There is no such precision.
    """
    if precision not in PRECISIONS:
        raise ConfigError(
            f"no precision {precision!r}{did_you_mean(precision, PRECISIONS)} (accepted: {', '.join(PRECISIONS)})"
        )
