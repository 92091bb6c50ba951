"""The options of a block, as its signature has them."""

from __future__ import annotations

import inspect

from foveate.plugins.errors import PluginError
from foveate.plugins.manager import Offer
from foveate.plugins.records import resolve


def describe_options(offer: Offer) -> list[str]:
    """A line for each option of a block: its name, type and default.

    Raises:
        PluginError: What the record names cannot be imported.
    """
    try:
        build = resolve(offer.block.build)
        parameters = list(inspect.signature(build).parameters.values())[1:]  # the first is the number of channels
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit in a module too
        reason = f"{type(error).__name__}: {error}"
        raise PluginError(f"block {offer.block.name!r} of {offer.provider} cannot be built: {reason}") from error
    return [_describe(parameter) for parameter in parameters]


def _describe(parameter: inspect.Parameter) -> str:
    kind = parameter.annotation
    if kind is parameter.empty:
        kind = ""
    elif not isinstance(kind, str):  # with `from __future__ import annotations` it is text already
        kind = inspect.formatannotation(kind)
    text = f"{parameter.name}: {kind}" if kind else str(parameter.replace(default=parameter.empty))
    return text if parameter.default is parameter.empty else f"{text} = {parameter.default!r}"
