"""The loss of a recipe: one loss, or a weighted sum of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, Integer
from torch import Tensor, nn

from foveate.pipeline.losses.class_weights import KEY, check_method
from foveate.pipeline.models.upsampling import upsample
from foveate.plugins.blocks import RecipeBlock, parse_spec
from foveate.plugins.building import build_module
from foveate.plugins.errors import PluginConfigError
from foveate.plugins.manager import Plugins, installed_plugins
from foveate.plugins.records import Loss

RecipeLoss = list[RecipeBlock] | RecipeBlock  # a name, a mapping with `name` and options, or a list of these


@runtime_checkable
class TakesCoarse(Protocol):
    """A loss that also accepts a segmenter's logits before they are resized, which saves the full-size logits."""

    def coarse(self, logits: Float[Tensor, "B K h w"], labels: Integer[Tensor, "B H W"]) -> Float[Tensor, ""]:
        """The loss of logits that are resized bilinearly to the labels' size."""


class WeightedSum(nn.Module):
    """The weighted sum of several losses of the same logits and labels."""

    def __init__(self, losses: Sequence[nn.Module], weights: Sequence[float]) -> None:
        super().__init__()
        self.losses = nn.ModuleList(losses)
        self.weights = list(weights)

    def forward(self, logits: Float[Tensor, "B K ..."], labels: Tensor) -> Float[Tensor, ""]:
        return self._sum([loss(logits, labels) for loss in self.losses])

    def coarse(self, logits: Float[Tensor, "B K h w"], labels: Integer[Tensor, "B H W"]) -> Float[Tensor, ""]:
        """The sum for logits that are resized bilinearly to the labels' size, each loss in its cheapest way.

        Args:
            logits: Logits at the decoder's stride.
            labels: Class numbers, or 255.
        """
        return self._sum([loss_of_coarse(loss, logits, labels) for loss in self.losses])

    def _sum(self, values: Sequence[Tensor]) -> Tensor:
        weighted = [weight * value for weight, value in zip(self.weights, values, strict=True)]
        total: Tensor = sum(weighted[1:], start=weighted[0])
        return total


def loss_of_coarse(
    loss: nn.Module, logits: Float[Tensor, "B K h w"], labels: Integer[Tensor, "B H W"]
) -> Float[Tensor, ""]:
    """A loss of a segmenter's logits before they are resized to the image.

    A loss with a method `coarse` (see TakesCoarse) gets them as they are; others get resized logits.
    """
    if isinstance(loss, TakesCoarse):
        return loss.coarse(logits, labels)
    value: Tensor = loss(upsample(logits, (labels.shape[1], labels.shape[2])), labels)
    return value


def create_loss(spec: RecipeLoss, num_classes: int, *, plugins: Plugins | None = None) -> nn.Module:
    """The loss of a recipe, as a module of logits and labels.

    Class weights that are still a method (`class_weights: auto`) count as 1 each, until numbers replace them (see
    `VisionTask.weigh_classes`).

    Args:
        spec: Such as `cross_entropy`, `{name: cross_entropy, label_smoothing: 0.1}`, or a list of such with a `weight`.
        num_classes: Number of classes.
        plugins: Those to look in; the installed ones if not given.

    Raises:
        PluginError: A loss or an option is unknown, or a plugin fails.
        ConfigError: There is no such method of class weights.

    Example:
        >>> create_loss(["cross_entropy", {"name": "dice", "weight": 0.5}], num_classes=19).weights
        [1.0, 0.5]
    """
    specs = spec if isinstance(spec, list) else [spec]
    parsed = [_parse(one) for one in specs]
    losses = [_create(name, options, num_classes, plugins) for name, options, _ in parsed]
    if len(losses) == 1 and parsed[0][2] == 1:
        return losses[0]
    return WeightedSum(losses, [weight for _, _, weight in parsed])


def _parse(spec: RecipeBlock) -> tuple[str, dict[str, Any], float]:
    if not isinstance(spec, str) and "name" not in spec:
        raise PluginConfigError(f"loss options without a name: {spec}; write {{name: cross_entropy, option: ...}}")
    name, options = parse_spec(spec)
    return name, options, float(options.pop("weight", 1.0))


def _create(name: str, options: dict[str, Any], num_classes: int, plugins: Plugins | None) -> nn.Module:
    offer = (plugins or installed_plugins()).find(name, Loss)
    if isinstance(options.get(KEY), str):
        check_method(options[KEY])
        options = {**options, KEY: [1.0] * num_classes}
    return build_module(offer, num_classes, options=options)
