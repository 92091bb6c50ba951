"""Error messages that name the failing part of a network: of a library, of a plugin, or our own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.text import first_line
from foveate.plugins.errors import PluginError

OURS = "foveate"
LIBRARIES = {"timm:": "timm", "smp:": "segmentation-models-pytorch"}
Providers = Mapping[str, Mapping[str, str]]  # what `record_providers` gives: "encoder NAME" -> distribution, version

TOO_FEW = "more than 1 value per channel"  # part of batch norm's message for a single value per channel in training

# Parts of the libraries' messages about unsuitable images or batches, and our advice.
ADVICE = (
    (
        TOO_FEW,
        "batch norm sees one value per channel: give a batch of at least 2 (--data.batch_size 2) or a larger crop",
    ),
    ("divisible", "choose image sides that the network can divide (--data.crop, --model.inference.multiple_of)"),
    ("size of tensor", "choose image sides that are multiples of 32 (--data.crop, --model.inference.multiple_of)"),
    ("Kernel size can't be greater", "the images are too small for this network: give a larger --data.crop"),
    ("too small", "the images are too small for this network: give a larger --data.crop"),
    ("shape", "choose image sides that are multiples of 32 (--data.crop, --model.inference.multiple_of)"),
)
OTHERWISE = "try another --data.crop or --data.batch_size, or another network"


@contextmanager
def named_failures(network: str, providers: Providers) -> Iterator[None]:
    """Turn an error of a library or a plugin into one line; an error of our own code is a bug and is raised as it is.

    Args:
        network: Name of the network, or "loss" or "metric".
        providers: The packages that the parts come from.

    Raises:
        ConfigError: A library's network cannot process such images or batches.
        PluginError: A plugin's part raised an error.
    """
    try:
        yield
    except Exception as error:
        if hasattr(error, "exit_code") or _is_no_fault_of_a_part(error):
            raise
        if plugins := _of_plugins(providers):
            raise PluginError(f"{' or '.join(plugins)} fails: {first_line(error)}") from error
        if TOO_FEW in str(error):
            raise ConfigError(f"{network}: {_advice(str(error))}") from error
        if libraries := [library for prefix, library in LIBRARIES.items() if prefix in network]:
            raise ConfigError(
                f"{network}: {' and '.join(libraries)} cannot run it so: {first_line(error)}; {_advice(str(error))}"
            ) from error
        raise


def check_logits(logits: object, expected: Sequence[int | None], network: str) -> Tensor:
    """A network's output, if it has the shape that its task needs.

    Args:
        logits: What the network gave.
        expected: Images, classes, and of a segmenter height and width; None for a side that may have any length.
        network: Name of the network.

    Raises:
        PluginError: It is no tensor, or one of another shape.

    Example:
        >>> check_logits(torch.zeros(2, 19, 8, 8), (2, 19, None, None), "segnext_t").shape
        torch.Size([2, 19, 8, 8])
    """
    wanted = "(" + ", ".join("any" if side is None else str(side) for side in expected) + ")"
    if not isinstance(logits, Tensor):
        raise PluginError(f"network {network} gives a {type(logits).__name__}, not one tensor of shape {wanted}")
    sides = zip(logits.shape, expected, strict=False)
    if logits.ndim != len(expected) or any(side != want for side, want in sides if want is not None):
        raise PluginError(
            f"network {network} gives logits of shape {tuple(logits.shape)}, not {wanted}: a channel is expected for "
            f"each of the {expected[1]} classes"
        )
    return logits


def _of_plugins(providers: Providers) -> list[str]:
    return [
        f"{part} of {given.get('distribution')} {given.get('version') or ''}".strip()
        for part, given in providers.items()
        if given.get("distribution") != OURS
    ]


def _is_no_fault_of_a_part(error: Exception) -> bool:
    """Whether memory ran out, which can happen with any network."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "out of memory" in str(error).lower()


def _advice(message: str) -> str:
    return next((advice for said, advice in ADVICE if said in message), OTHERWISE)
