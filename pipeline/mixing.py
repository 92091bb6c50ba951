"""Mixup, CutMix and random erasing: augmentation of whole batches of training images, on the device."""

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
    """How normalised training images are mixed and erased.

    Args:
        mixup: Alpha of mixup, such as 0.8: pairs of images, and their labels, are blended; 0 is off.
        cutmix: Alpha of CutMix, such as 1.0: a box of an image is replaced by that of another image; 0 is off. With
            both, each batch gets one of the two, with equal probability.
        probability: Probability that a batch is mixed.
        erasing: Probability that a box of an image is replaced by noise (random erasing).

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
        """Whether images are mixed, so that labels become shares of classes."""
        return max(self.mixup, self.cutmix) > 0 and self.probability > 0


class Mixing(nn.Module):
    """Mix and erase the images of a batch, by torchvision's operations.

    Args:
        config: Which operations, and with what probability.
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
        """Images of the same shape, and labels: class numbers (B,), or shares (B, K) if the batch was mixed."""
        if self.config.erasing:
            # One by one: for a batch, torchvision erases the same box of all images.
            image = torch.stack([self._erase(one) for one in image])
        # A single image has no partner; it may be the blank batch that keeps distributed processes in step.
        if self._mix is None or len(image) < 2 or torch.rand(()) >= self.config.probability:
            return image, label
        mixed: tuple[Tensor, Tensor] = self._mix(image, label)
        return mixed
