"""Eight-bit ONNX models: convolutions and linear layers in integers, with ranges found on real images."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.export.formats.names import INPUT
from foveate.pipeline.export.images import Sample, Size
from foveate.pipeline.text import first_line

CLASSES = "pkg.torch.onnx.class_hierarchy"  # metadata of a node: the classes of the modules that it lies in
FLOAT = "NMF2d"  # a factorisation multiplies and divides what it computes from: eight bits are not enough
LAYERS = ["Conv", "Gemm", "MatMul"]
LEVELS = ("all layers", "all but the first and last layers", "all but those and depthwise convolutions")
CALIBRATION = 24  # images


def quantise(model: Any, samples: Sequence[Sample], size: Size, level: int) -> Any:
    """A model with eight-bit weights and activations, in the QDQ format, which ONNX Runtime and OpenVINO both run.

    Weights have a scale for each channel. A factorisation of feature maps stays in float.

    Args:
        model: The model in float32, an `onnx.ModelProto` with the exporter's metadata.
        samples: Real images, with which the ranges of activations are found.
        size: Height and width at which they are run.
        level: How much stays in float32: an index of `LEVELS`.

    Raises:
        ConfigError: ONNX Runtime cannot quantise the model.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory() as folder, _quiet():
        out = Path(folder) / "int8.onnx"
        try:
            quantize_static(
                model,
                str(out),
                _Images(samples[:CALIBRATION], size),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=LAYERS,
                nodes_to_exclude=kept_in_float(model, level),
                extra_options={"MatMulConstBOnly": True},
            )
        except Exception as error:  # of its shape inference, or of an operator it does not know
            raise ConfigError(f"export --precision int8: cannot quantise this network: {first_line(error)}") from error
        import onnx

        return onnx.load(str(out))


def kept_in_float(model: Any, level: int) -> list[str]:
    """Names of the layers that are not quantised.

    Args:
        model: An `onnx.ModelProto` with the exporter's metadata.
        level: An index of `LEVELS`.
    """
    layers = [node for node in model.graph.node if node.op_type in LAYERS]
    kept = [node.name for node in layers if FLOAT in _classes(node)]
    if level >= 1:
        outside = [node.name for node in layers if node.name not in kept]
        kept += [outside[0], outside[-1]]
    if level >= 2:
        kept += [node.name for node in layers if any(one.name == "group" and one.i > 1 for one in node.attribute)]
    return list(dict.fromkeys(kept))


def _classes(node: Any) -> str:
    return next((entry.value for entry in node.metadata_props if entry.key == CLASSES), "")


class _Images:
    """Gives images to the calibration, one after the other."""

    def __init__(self, samples: Sequence[Sample], size: Size) -> None:
        self._rest = iter([sample.resized(size).image[None].numpy() for sample in samples])

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next image; None after the last."""
        image = next(self._rest, None)
        return None if image is None else {INPUT: image}

    def __iter__(self) -> _Images:
        return self

    def __next__(self) -> dict[str, NDArray[Any]]:
        found = self.get_next()
        if found is None:
            raise StopIteration
        return found


@contextlib.contextmanager
def _quiet() -> Any:
    """Without the advice that the quantiser logs for every model."""
    root, level = logging.getLogger(), logging.getLogger().level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
