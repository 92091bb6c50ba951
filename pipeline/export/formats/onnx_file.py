"""ONNX: the file that most runtimes read."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.export.formats.draft import as_text, capture, digest
from foveate.pipeline.export.formats.names import INPUT, KEY
from foveate.pipeline.text import first_line

NEEDED = ("onnx", "onnxscript", "onnxruntime")


class OnnxDraft:
    """An ONNX model; its contract is appended to its bytes, as metadata.

    Args:
        model: The model, an `onnx.ModelProto`.
        path: The file.
    """

    def __init__(self, model: Any, path: Path) -> None:
        self.path = path
        self.bytes: bytes = model.SerializeToString()

    def seal(self, contract: dict[str, Any]) -> None:
        """Write the file.

        Args:
            contract: As JSON.
        """
        import onnx

        end = onnx.ModelProto()  # two messages of Protocol Buffers one after the other are one message
        end.metadata_props.add(key=KEY, value=as_text(contract))
        self.path.write_bytes(self.bytes + end.SerializeToString())

    def payload(self) -> tuple[int, str | None]:
        """Length and SHA-256 of the graph's bytes."""
        return digest(self.bytes)


def check_onnx() -> None:
    """Check that what the exporter needs is installed.

    Raises:
        ConfigError: A package is missing.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"export needs {', '.join(missing)}, not installed here: pip install 'foveate[export]'")


def convert_onnx(graph: nn.Module, image: Tensor, output: str, *, dynamic: bool) -> Any:
    """A graph as an `onnx.ModelProto`; the names of its nodes' modules are in their metadata.

    Args:
        graph: From images in bytes to logits or labels.
        image: Images (B, C, H, W) in bytes.
        output: Name of the output.
        dynamic: Whether height and width are free.

    Raises:
        ConfigError: An operator of the network does not exist in ONNX, or a package is missing.
    """
    check_onnx()
    with _quiet():
        program = capture(graph, image, dynamic=dynamic)
        try:
            written: Any = torch.onnx.export(
                program, dynamo=True, external_data=False, verbose=False, input_names=[INPUT], output_names=[output]
            )
        except Exception as error:  # of the exporter
            raise ConfigError(f"export: ONNX cannot hold this network: {first_line(error)}") from error
    return written.model_proto


def strip(model: Any) -> Any:
    """The model without the notes of the exporter, which quote source code and its paths.

    Args:
        model: An `onnx.ModelProto`; it is changed.
    """
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        value.ClearField("metadata_props")
        value.ClearField("doc_string")
    model.graph.ClearField("metadata_props")
    model.ClearField("metadata_props")
    return model


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's progress lines, and its warnings on its own insides."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
