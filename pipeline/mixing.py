"""What is done to whole batches of a classifier's training images, on the device: mixing two, erasing a part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torchvision.transforms import v2  # type: ignore[import-untyped]

from foveate.pipeline.errors import ConfigError

ERASED = (0.02, 1 / 3)  # share of the area, as published


@dataclass(frozen=True)
class MixingConfig:
    """How training images are mixed and erased, after they were normalised.

    Args:
        mixup: Alpha of mixup, such as 0.8: each image is laid over another, and so are their labels; 0 is off.
        cutmix: Alpha of cutmix, such as 1.0: a box of another image is put in; 0 is off. With both, a batch gets one
            of them, either as often.
        probability: How often a batch is mixed at all.
        erasing: Probability that a box of an image is filled with noise.

    Source:
        Zhang et al. 2017, mixup (arXiv:1710.09412); Yun et al. 2019, CutMix (arXiv:1905.04899); Zhong et al. 2017,
        Random erasing (arXiv:1708.04896).
    """

    mixup: float = 0.0
    cutmix: float = 0.0
    probability: float = 1.0
    erasing: float = 0.0

    def __post_init__(self) -> None:
        if min(self.mixup, self.cutmix) < 0:
            raise ConfigError(f"mixing: mixup and cutmix are alphas from 0 up, not {self.mixup} and {self.cutmix}")
        if not (0 <= self.probability <= 1 and 0 <= self.erasing <= 1):
            raise ConfigError(
                f"mixing: probability and erasing lie between 0 and 1, not {self.probability} and {self.erasing}"
            )

    @property
    def mixes(self) -> bool:
        """Whether labels become shares of classes."""
        return max(self.mixup, self.cutmix) > 0 and self.probability > 0


class Mixing(nn.Module):
    """Mix and erase the images of a batch, by torchvision's operations.

    Args:
        config: What, and how often.
        num_classes: Number of classes K; mixed labels are shares of each (B, K).
    """

    def __init__(self, config: MixingConfig, num_classes: int) -> None:
        super().__init__()
        self.config = config
        kinds: list[tuple[type[Any], float]] = [(v2.MixUp, config.mixup), (v2.CutMix, config.cutmix)]
        mixers = [kind(alpha=alpha, num_classes=num_classes) for kind, alpha in kinds if alpha]
        self._mix: Callable[..., Any] | None = v2.RandomChoice(mixers) if config.mixes else None
        self._erase: Callable[..., Any] = v2.RandomErasing(config.erasing, scale=ERASED, value="random")

    def forward(
        self, image: Float[Tensor, "B C H W"], label: Int64[Tensor, " B"]
    ) -> tuple[Float[Tensor, "B C H W"], Tensor]:
        """Images of the same shape, and labels: numbers as they were, or shares (B, K) if the batch was mixed."""
        if self.config.erasing:
            image = torch.stack([self._erase(one) for one in image])  # of a batch it would erase one box for all
        # An image alone has none to mix with; it may be the blank that keeps processes in step.
        if self._mix is None or len(image) < 2 or torch.rand(()) >= self.config.probability:
            return image, label
        mixed: tuple[Tensor, Tensor] = self._mix(image, label)
        return mixed
