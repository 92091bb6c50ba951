"""The options of a record, read from the signature of its callable."""

from __future__ import annotations

import inspect

from foveate.plugins.building import load
from foveate.plugins.manager import Offer
from foveate.plugins.records import Record


def describe_options(offer: Offer[Record]) -> list[str]:
    """A line for each option of a record: its name, type and default.

    Raises:
        PluginError: The record's callable cannot be imported.
    """
    parameters = list(inspect.signature(load(offer)).parameters.values())[1:]  # the first is passed by position
    return [_describe(parameter) for parameter in parameters if parameter.name not in offer.record.given]


def _describe(parameter: inspect.Parameter) -> str:
    kind = parameter.annotation
    if kind is parameter.empty:
        kind = ""
    elif not isinstance(kind, str):  # with `from __future__ import annotations` it is text already
        kind = inspect.formatannotation(kind)
    text = f"{parameter.name}: {kind}" if kind else str(parameter.replace(default=parameter.empty))
    return text if parameter.default is parameter.empty else f"{text} = {parameter.default!r}"
