"""timm behind our contracts: any of its models as an encoder or as a classifier, without trained weights.

timm has no types; what it returns is typed here, and `Any` goes no further. Nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.classifier import Classifier, split_slots
from foveate.pipeline.models.feature_encoder import FeatureEncoder
from foveate.pipeline.models.slots import Attention, check_slots
from foveate.plugins.blocks import create_slot
from foveate.plugins.hints import did_you_mean

PREFIX = "timm:"
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# Options that let a model of one input size take any; the first that a model accepts is used.
ANY_SIZE: tuple[dict[str, bool], ...] = (
    {"dynamic_img_size": True, "dynamic_img_pad": True},
    {"dynamic_img_size": True},
    {},
)


def list_encoders() -> list[str]:
    """Every name that `create_encoder` knows; those that give no features are refused when built. Imports timm."""
    import timm

    return [PREFIX + name for name in timm.list_models()]


class TimmEncoder(FeatureEncoder):
    """timm's `features_only` network; the keys under `model.` are timm's.

    Args:
        model: timm's `features_only` network.
        name: timm's name for it.
        attention: Blocks for the slot `stage`.

    Attributes:
        timm_name: timm:NAME.
        mean: Of the channels in 0-1, as the published weights of this network expect it.
        std: The same.
    """

    def __init__(self, model: nn.Module, name: str, attention: Attention | None) -> None:
        info: Any = model.feature_info
        super().__init__(model, info.channels(), info.reduction(), attention, PREFIX + name)
        layout: Any = getattr(model, "output_fmt", "NCHW")
        self.channels_last = getattr(layout, "value", layout) == "NHWC"
        self.timm_name = PREFIX + name
        self.mean, self.std = normalisation(name)

    def extract(self, image: Float[Tensor, "B I H W"]) -> Sequence[Tensor]:
        features = super().extract(image)
        return [f.permute(0, 3, 1, 2) for f in features] if self.channels_last else features


class LastLayer(nn.Module):
    """The last linear layer of timm's network, under the name that it has in every head.

    Args:
        classifier: From the pooled features to logits.
    """

    def __init__(self, classifier: nn.Linear) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, pooled: Float[Tensor, "B C"]) -> Float[Tensor, "B K"]:
        logits: Tensor = self.classifier(pooled)
        return logits


class TimmClassifier(Classifier):
    """timm's network without its last layer as `encoder` (keys as in timm), and that layer as `head.classifier`.

    Pooling, norm and dropout before the last layer stay in the encoder, which gives one vector (B, C) for each image.

    Args:
        encoder: timm's network without its last layer.
        head: Its last layer.
        name: timm's name for it.
        input: What the image goes through first; nothing if not given.

    Attributes:
        mean: Of the channels in 0-1, as the published weights of this network expect it.
        std: The same.
    """

    def __init__(self, encoder: nn.Module, head: LastLayer, name: str, *, input: nn.Module | None = None) -> None:
        super().__init__(encoder, head, input=input)
        self.timm_name = PREFIX + name
        self.mean, self.std = normalisation(name)


def normalisation(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation in 0-1 of the published weights; ImageNet's where there are none.

    Args:
        name: timm's name of the network.
    """
    import timm

    published: Any = timm.get_pretrained_cfg(name)
    if published is None:
        return IMAGENET_MEAN, IMAGENET_STD
    return tuple(published.mean), tuple(published.std)


def create_encoder(
    name: str, *, in_channels: int = 3, attention: Attention | None = None, **options: Any
) -> TimmEncoder:
    """Build timm's network as an encoder.

    Args:
        name: timm:NAME.
        in_channels: Channels of the image.
        attention: Blocks for the slot `stage`, after each feature.
        options: What `timm.create_model` takes, such as output_stride, out_indices, drop_path_rate or img_size.
            A network of one input size is built to take any (`dynamic_img_size`), where it can; some cannot (LeViT,
            Hiera, MaxViT) and fail at other sizes than they were built for.

    Raises:
        ConfigError: The name is unknown, the network gives no features, or an option is not accepted.
        PluginConfigError: The network has no such slot.

    Example:
        >>> create_encoder("timm:test_convnext").strides
        (4, 8, 16, 32)
    """
    short = _known(name)
    slots = check_slots(attention, ("stage",), name)
    model = _create(short, features_only=True, in_chans=in_channels, **options)
    return TimmEncoder(model, short, slots)


def create_classifier(
    name: str, *, num_classes: int, in_channels: int = 3, attention: Attention | None = None, **options: Any
) -> TimmClassifier:
    """Build timm's network as a classifier; its logits are timm's.

    Args:
        name: timm:NAME.
        num_classes: Number of logits.
        in_channels: Channels of the image.
        attention: Blocks for the slot `input`, before the encoder.
        options: What `timm.create_model` takes, such as drop_rate, drop_path_rate or img_size.

    Raises:
        ConfigError: The name is unknown, the network does not end with one linear layer, or an option is not accepted.
        PluginConfigError: The network has no such slot.
    """
    short = _known(name)
    before, _ = split_slots(attention, (), name)
    model: Any = _create(short, num_classes=num_classes, in_chans=in_channels, **options)
    last = model.get_classifier()
    if not isinstance(last, nn.Linear):
        raise ConfigError(
            f"{name} does not end with one linear layer (but {type(last).__name__}); take another network"
        )
    model.reset_classifier(0)
    return TimmClassifier(model, LastLayer(last), short, input=create_slot(before, in_channels))


def _known(name: str) -> str:
    """timm's own name of a network, after a look whether there is one."""
    import timm

    short = name.removeprefix(PREFIX)
    if not timm.is_model(short):
        hint = did_you_mean(short, timm.list_models())
        raise ConfigError(f"timm has no model named {short!r}{hint} (all: timm.list_models())")
    return short


def _create(name: str, **options: Any) -> nn.Module:
    """timm's own constructor; its errors become ConfigErrors."""
    import timm

    published = timm.get_pretrained_cfg(name)
    one_size = published is not None and published.fixed_input_size
    try:
        return _first_accepted(name, ANY_SIZE if one_size else ({},), options)
    except (TypeError, ValueError, RuntimeError, AssertionError, KeyError) as error:
        raise ConfigError(f"timm's {name} cannot be built so: {error}") from error


def _first_accepted(name: str, extras: Sequence[dict[str, Any]], options: dict[str, Any]) -> nn.Module:
    """The network built with the first of the extra options that it accepts; the last of them is no option."""
    import timm

    for number, extra in enumerate(extras, start=1):
        try:
            model: nn.Module = timm.create_model(name, pretrained=False, **{**extra, **options})
            return model
        except TypeError:
            if number == len(extras):
                raise
    raise AssertionError("unreachable")
