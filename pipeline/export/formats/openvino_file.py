"""OpenVINO: a graph in XML, and its weights beside it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from foveate.pipeline.engines.openvino import HINTS, is_installed, keep_core, load_runtime
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.export.formats.draft import as_text, digest
from foveate.pipeline.export.formats.names import KEY
from foveate.pipeline.text import first_line


class OpenvinoDraft:
    """An OpenVINO model; its contract is in the XML.

    Args:
        model: An `openvino.Model`.
        path: The XML; the weights lie beside it and end with .bin.
        half: Whether weights are stored as float16.
    """

    def __init__(self, model: Any, path: Path, *, half: bool) -> None:
        self.path = path
        self._model = model
        self._half = half

    def seal(self, contract: dict[str, Any]) -> None:
        """Write both files.

        Args:
            contract: As JSON.
        """
        self._model.set_rt_info(as_text(contract), [KEY, "contract"])
        load_runtime().save_model(self._model, str(self.path), compress_to_fp16=self._half)

    def payload(self) -> tuple[int, str | None]:
        """Length and SHA-256 of the weights."""
        return digest(self.path.with_suffix(".bin").read_bytes())


def hints_of(precision: str) -> dict[str, str]:
    """Settings with which OpenVINO runs a file at its precision; without them it may choose a lower one.

    Args:
        precision: fp32, fp16, bf16 or int8.
    """
    hints = dict(HINTS["bfloat16" if precision == "bf16" else "float32"])
    hints["INFERENCE_PRECISION_HINT"] = "bf16" if precision == "bf16" else "f32"
    return {**hints, "PERFORMANCE_HINT": "LATENCY"}


def convert_openvino(model: Any, path: Path, *, half: bool) -> OpenvinoDraft:
    """An ONNX model in the format of OpenVINO.

    Args:
        model: An `onnx.ModelProto`.
        path: The XML to write.
        half: Whether weights are stored as float16.

    Raises:
        ConfigError: The runtime is not installed, or it does not know an operator.
    """
    if not is_installed():
        raise ConfigError("export --format openvino: not installed here; pip install 'foveate[openvino]'")
    keep_core()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        file.write_bytes(model.SerializeToString())
        try:
            converted = load_runtime().convert_model(str(file))
        except Exception as error:
            raise ConfigError(f"export: OpenVINO cannot take this network: {first_line(error)}") from error
    return OpenvinoDraft(converted, path, half=half)
