"""The two formats of PyTorch: torch.export's, and TorchScript."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.export.formats.draft import as_text, capture
from foveate.pipeline.export.formats.names import KEY
from foveate.pipeline.text import first_line

EXTRA = f"{KEY}.json"


class ProgramDraft:
    """A program of torch.export; its contract is an extra file in the archive.

    Args:
        program: The program.
        path: The file.
    """

    def __init__(self, program: torch.export.ExportedProgram, path: Path) -> None:
        self.path = path
        self._program = program

    def seal(self, contract: dict[str, Any]) -> None:
        """Write the file.

        Args:
            contract: As JSON.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, on its own insides
            torch.export.save(self._program, self.path, extra_files={EXTRA: as_text(contract)})

    def payload(self) -> tuple[int, str | None]:
        """Nothing: the archive has checksums."""
        return 0, None


class ScriptDraft:
    """A traced and frozen graph of TorchScript.

    Args:
        script: The graph.
        path: The file.
    """

    def __init__(self, script: Any, path: Path) -> None:
        self.path = path
        self._script = script

    def seal(self, contract: dict[str, Any]) -> None:
        """Write the file.

        Args:
            contract: As JSON.
        """
        self._script.save(str(self.path), _extra_files={EXTRA: as_text(contract)})

    def payload(self) -> tuple[int, str | None]:
        """Nothing: the archive has checksums."""
        return 0, None


def convert_program(graph: nn.Module, image: Tensor, path: Path, *, dynamic: bool) -> ProgramDraft:
    """A graph by torch.export.

    Args:
        graph: From images in bytes to logits or labels.
        image: Images (B, C, H, W) in bytes.
        path: The file to write.
        dynamic: Whether height and width are free.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.export, on its own insides
        return ProgramDraft(capture(graph, image, dynamic=dynamic), path)


def convert_script(graph: nn.Module, image: Tensor, path: Path) -> ScriptDraft:
    """A graph by tracing; sizes that the trace holds as constants are found by the check at another size.

    Args:
        graph: From images in bytes to logits or labels.
        image: Images (B, C, H, W) in bytes.
        path: The file to write.

    Raises:
        ConfigError: The network cannot be traced.
    """
    tracer: Any = torch.jit
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            return ScriptDraft(tracer.freeze(tracer.trace(graph, image, check_trace=False)), path)
        except Exception as error:  # of the tracer, or of a plugin's module
            raise ConfigError(f"export: this network cannot be traced: {first_line(error)}") from error
