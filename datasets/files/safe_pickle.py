"""Reads pickles that hold arrays and plain containers, and runs nothing."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np

_RECONSTRUCT = np.empty(0).__reduce__()[0]  # numpy's function that rebuilds arrays; its module depends on the version

# Modules by their names in every version of numpy.
ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class ArrayUnpickler(pickle.Unpickler):
    """An unpickler that accepts arrays only."""

    def find_class(self, module: str, name: str) -> Any:
        """The function or class of a name in a pickle.

        Args:
            module: Where the pickle says it is.
            name: What it is called there.

        Raises:
            pickle.UnpicklingError: It names anything else.
        """
        if (module, name) == ("_codecs", "encode"):
            return _latin1  # how Python 3 writes bytes for Python 2
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no array: refused")
        return ALLOWED[module, name]


def _latin1(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding!r}: refused")
    return text.encode("latin1")


def load_arrays(data: bytes) -> Any:
    """The content of a pickle of arrays, numbers, texts and containers; texts of Python 2 become bytes.

    Args:
        data: The pickle.

    Raises:
        pickle.UnpicklingError: It asks for anything else, or is damaged.
    """
    try:
        return ArrayUnpickler(io.BytesIO(data), encoding="bytes").load()
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise pickle.UnpicklingError(f"damaged: {type(error).__name__}: {error}") from error
