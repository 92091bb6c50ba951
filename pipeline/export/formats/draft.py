"""An exported model that is being written: its graph is settled, its contract is not yet."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.export.formats.names import INPUT
from foveate.pipeline.text import first_line


@runtime_checkable
class Draft(Protocol):
    """A graph in the format of a file.

    Attributes:
        path: The file that is written.
    """

    path: Path

    def seal(self, contract: dict[str, Any]) -> None:
        """Write the file with a contract inside; it may be called again with another.

        Args:
            contract: As JSON.
        """

    def payload(self) -> tuple[int, str | None]:
        """Length and SHA-256 of the bytes that hold the graph, at the beginning of the file; None where the format
        has checksums of its own.
        """


def as_text(contract: dict[str, Any]) -> str:
    """A contract as one line of ASCII.

    Args:
        contract: As JSON.
    """
    return json.dumps(contract)


def digest(data: bytes) -> tuple[int, str]:
    """Length and SHA-256 of bytes.

    Args:
        data: The bytes.
    """
    return len(data), hashlib.sha256(data).hexdigest()


def capture(graph: nn.Module, image: Tensor, *, dynamic: bool) -> torch.export.ExportedProgram:
    """A graph by torch.export, for any number of images.

    Args:
        graph: From images in bytes to logits or labels.
        image: Images (B, C, H, W) in bytes; two or more, since one would be taken for a constant.
        dynamic: Whether height and width are free too.

    Raises:
        ConfigError: A part of the network cannot be exported.
    """
    free = torch.export.Dim.DYNAMIC
    axes = {0: free, 2: free, 3: free} if dynamic else {0: free}
    try:
        with torch.no_grad():
            return torch.export.export(graph, (image,), dynamic_shapes={INPUT: axes}, strict=False)
    except Exception as error:  # of torch.export, or of a plugin's module
        raise ConfigError(f"export: this network cannot be captured: {first_line(error)}{_advice(dynamic)}") from error


def _advice(dynamic: bool) -> str:
    return "; a network that holds sizes as constants needs --size HEIGHTxWIDTH" if dynamic else ""
