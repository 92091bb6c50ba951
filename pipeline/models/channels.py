"""Networks for images of another number of channels than three."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from foveate.pipeline.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn

RGB = 3
OPTION = "in_channels"


def with_channels(options: Mapping[str, Any] | None, channels: int | None) -> dict[str, Any]:
    """Options of a network that takes images of so many channels; unchanged for three.

    Args:
        options: Its options, which may say the same.
        channels: Of the images; None for what the options say.

    Raises:
        ConfigError: The options say another number.

    Example:
        >>> with_channels({"drop_path": 0.2}, 4), with_channels({"drop_path": 0.2}, 3)
        ({'in_channels': 4, 'drop_path': 0.2}, {'drop_path': 0.2})
    """
    given = dict(options or {})
    if channels is None or channels == channels_in(given):
        return given
    if OPTION in given:
        raise ConfigError(
            f"the images have {channels} channels, and network_options say {OPTION} {given[OPTION]}: leave that out"
        )
    return {OPTION: channels, **given}


def channels_in(options: Mapping[str, Any] | None) -> int:
    """Channels of the images that a network takes by its options.

    Args:
        options: Of the network.
    """
    return int((options or {}).get(OPTION, RGB))


def image_channels(module: nn.Module) -> int:
    """Channels of the images that a network or an encoder takes: those of its first convolution over them.

    Args:
        module: A segmenter, a classifier, or an encoder.
    """
    encoder = getattr(module, "encoder", module)
    widths = [weight.shape[1] for weight in encoder.parameters() if weight.ndim == 4]
    return int(widths[0]) if widths else RGB
