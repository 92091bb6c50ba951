"""Opens an exported model, whatever its format, and runs it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from foveate.pipeline.errors import CheckpointError, ConfigError
from foveate.pipeline.export.check_model import open_model
from foveate.pipeline.export.contract import Contract, read_contract
from foveate.pipeline.text import first_line
from foveate.plugins.hints import did_you_mean_path

ENDINGS = {"onnx": ".onnx", "openvino": ".xml", "torch-export": ".pt2", "torchscript": ".torchscript"}
EXTRAS = {".onnx": ("onnxruntime", "export"), ".xml": ("openvino", "openvino")}  # ending -> module, extra


def is_exported(path: str | Path) -> bool:
    """Whether a file is an exported model, by its ending.

    Args:
        path: The file.
    """
    return Path(path).suffix in ENDINGS.values()


class ExportedModel:
    """An exported model. A call runs images (B, C, H, W) in bytes and gives what the contract calls its output.

    Args:
        path: The file.
        contract: What it takes and gives.
        run: Its function on arrays.
    """

    def __init__(self, path: Path, contract: Contract, run: Callable[[Any], Any]) -> None:
        self.path = path
        self.contract = contract
        self.run = run

    def __call__(self, image: Any) -> NDArray[Any]:
        """Logits (B, K, H, W) or (B, K) as float32, or labels (B, H, W) or (B,).

        Args:
            image: Images (B, C, H, W), uint8: an array or a tensor.

        Raises:
            ConfigError: The images are of another type or size than the file takes.
        """
        array = image.detach().cpu().numpy() if isinstance(image, Tensor) else np.asarray(image)
        if array.dtype != np.uint8 or array.ndim != 4 or array.shape[1] != self.contract.channels:
            raise ConfigError(
                f"{self.path} takes images (B, {self.contract.channels}, H, W) of bytes, not {array.dtype} of shape "
                f"{array.shape}"
            )
        if not self.contract.accepts(*array.shape[2:]):
            raise ConfigError(
                f"{self.path} takes images of {self.contract.sizes}, not {array.shape[2]} x {array.shape[3]}; "
                "resize them, or export with --size dynamic"
            )
        return np.asarray(self.run(np.ascontiguousarray(array)))


def open_exported(path: str | Path) -> ExportedModel:
    """Open an exported model.

    Args:
        path: A file that `foveate export` wrote: .onnx, .xml (OpenVINO), .pt2 or .torchscript.

    Raises:
        ConfigError: The runtime is not installed.
        CheckpointError: There is no such file, it is damaged, or it was not written by `foveate export`.
    """
    file = Path(path).expanduser()
    if not is_exported(file):
        raise CheckpointError(f"{file}: an exported model ends with {', '.join(ENDINGS.values())}")
    if not file.is_file():
        raise CheckpointError(f"{file}: no such exported model{did_you_mean_path(file)}")
    if file.suffix == ".xml":
        _keep_core()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, on its own formats
            contract, run = open_model(str(file))
    except ModuleNotFoundError as error:
        module, extra = EXTRAS.get(file.suffix, (str(error.name), "export"))
        raise ConfigError(f"{file} needs {module}, which is not installed: pip install 'foveate[{extra}]'") from error
    except (KeyError, StopIteration) as error:
        raise CheckpointError(f"{file}: holds no contract; was it written by foveate export?") from error
    except Exception as error:  # a runtime may raise anything for a damaged file
        raise CheckpointError(f"{file}: cannot be opened ({first_line(error)})") from error
    return ExportedModel(file, read_contract(contract, file), run)


def _keep_core() -> None:
    """Keep OpenVINO's plugin loaded: releasing its last core would leave the process with a freed signal stack."""
    from foveate.pipeline.engines import openvino

    if openvino.is_installed():
        openvino.keep_core()
