"""Networks for images of another number of channels than three."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.naming import PLUS

if TYPE_CHECKING:
    from torch import nn

RGB = 3
OPTION = "in_channels"


def with_channels(network: str, options: Mapping[str, Any] | None, channels: int | None) -> dict[str, Any]:
    """Options of a network that takes images of so many channels; unchanged for three.

    Args:
        network: Name of the model.
        options: Its options, which may say the same.
        channels: Of the images; None for what the options say.

    Raises:
        ConfigError: The options say another number.

    Example:
        >>> with_channels("mscan_t+light_ham", {"decoder": {"rank": 8}}, 4)
        {'decoder': {'rank': 8}, 'encoder': {'in_channels': 4}}
    """
    given = dict(options or {})
    said = channels_in(network, given)
    if channels is None or channels == said:
        return given
    inside = given.get("encoder", {}) if PLUS in network else given
    if OPTION in inside:
        raise ConfigError(f"images have {channels} channels, and network_options say in_channels {said}: leave it out")
    changed = {OPTION: channels, **inside}
    return {**given, "encoder": changed} if PLUS in network else changed


def channels_in(network: str, options: Mapping[str, Any]) -> int:
    """Channels of the images that a network takes by its options.

    Args:
        network: Name of the model.
        options: Its options.
    """
    inside = options.get("encoder") if PLUS in network else options
    return int((inside or {}).get(OPTION, RGB))


def image_channels(module: nn.Module) -> int:
    """Channels of the images that a network or an encoder takes: those of its first convolution over them.

    Args:
        module: A segmenter, a classifier, or an encoder.
    """
    encoder = getattr(module, "encoder", module)
    widths = [weight.shape[1] for weight in encoder.parameters() if weight.ndim == 4]
    return int(widths[0]) if widths else RGB
