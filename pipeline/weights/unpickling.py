"""Reads the pickles of checkpoints without importing or calling anything that they refer to.

Tensors, arrays, numbers and plain containers are rebuilt. An object of any other class becomes an `Inert`, which has
the attributes but no methods. A pickle that calls any other function is refused.
"""

from __future__ import annotations

import pickle
import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

_RECONSTRUCT = np.empty(0).__reduce__()[0]  # NumPy's own function, in any version of NumPy
_SCALAR = np.float64(0).__reduce__()[0]
MAKERS = ("datetime.", "pathlib.", "uuid.UUID", "numpy.random.", "types.SimpleNamespace", "argparse.Namespace")
FOREIGN = ("torch.nn.", "torch.optim.", "torchvision.")  # modules whose classes become `Inert`

PLAIN: tuple[type, ...] = (
    set, frozenset, list, tuple, dict, complex, slice, range, bytearray, bytes, int, float, bool, str,
)  # fmt: skip


class StorageType(NamedTuple):
    """The storage type of a tensor."""

    dtype: torch.dtype


class _InertType(type):
    """The metaclass of classes that are not imported; a call is refused unless the class is known to be only data."""

    harmless = False

    def __call__(cls, *args: Any, **options: Any) -> Any:
        if not cls.harmless:
            raise pickle.UnpicklingError(f"it asks for {cls.__module__}.{cls.__qualname__}")
        made: Any = cls.__new__(cls)  # type: ignore[call-overload]
        made.arguments = args
        return made


class Inert(dict[Any, Any], metaclass=_InertType):
    """An object whose class is not imported.

    Attributes:
        attributes: Attributes of the object, by name.
        arguments: Arguments it was created with, if its class is known to hold only data.
    """

    arguments: tuple[Any, ...]

    def __new__(cls, *args: Any) -> Inert:
        """An empty object, to which pickle adds the content."""
        made = super().__new__(cls)
        made.__dict__["attributes"] = {}
        made.__dict__["arguments"] = args
        return made

    @property
    def attributes(self) -> dict[Any, Any]:
        """Attributes of the object, by name."""
        found: dict[Any, Any] = self.__dict__["attributes"]
        return found

    def __setstate__(self, state: Any) -> None:
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, Mapping):
                self.attributes.update(part)

    def extend(self, items: Iterable[Any]) -> None:
        """Do nothing: the items of a list are not stored.

        Args:
            items: The items.
        """

    append = add = extend
    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__


class InertUnpickler(pickle.Unpickler):
    """An unpickler that imports nothing.

    Args:
        file: Binary file; reading starts at its current position.
        load_storage: Returns the values of a storage, as a tensor of one dimension, from its identifier in the pickle.
        load_bytes: Reads a file of `torch.save` inside the pickle, which is how `pickle.dump` writes a tensor.
    """

    def __init__(
        self,
        file: Any,
        load_storage: Callable[[tuple[Any, ...]], Tensor],
        load_bytes: Callable[[bytes], Any] | None = None,
    ) -> None:
        super().__init__(file, encoding="latin1")
        self._load_storage = load_storage
        self._known = _known()
        if load_bytes is not None:
            self._known["torch.storage._load_from_bytes"] = load_bytes
        self._made: dict[str, Any] = {}

    def persistent_load(self, pid: Any) -> Any:
        """The values of a storage outside the pickle; or, in old files, a class with its source code.

        Args:
            pid: Identifier of the storage or class in the pickle.
        """
        if isinstance(pid, tuple) and len(pid) > 1 and pid[0] == "module":
            return pid[1]
        if not (isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == "storage" and isinstance(pid[1], StorageType)):
            raise pickle.UnpicklingError("damaged: a tensor without a storage identifier")
        return self._load_storage(pid)

    def find_class(self, module: str, name: str) -> Any:
        """The replacement of a class or function; nothing is imported.

        Args:
            module: Name of the module in the pickle.
            name: Name of the class or function in the module.
        """
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))  # names of Python 2
        if module.startswith("numpy.core."):  # names of NumPy 1
            module = module.replace("core", "_core", 1)
        path = f"{module}.{name}"
        if path not in self._made:
            self._made[path] = self._known[path] if path in self._known else _stand_in(module, name)
        return self._made[path]


def _stand_in(module: str, name: str) -> Any:
    """An empty class, for a data type of the standard library, for a user's class, or to be refused."""
    path = f"{module}.{name}"
    if module == "torch" and isinstance(found := vars(torch).get(name), torch.dtype):
        return found
    if module == "torch" and name.endswith("Storage"):
        return StorageType(_storage_dtype(name))
    made = _InertType(name, (Inert,), {"__module__": module})
    top = module.partition(".")[0]
    owned = top in sys.stdlib_module_names or top in ("torch", "numpy")
    is_class = name.rpartition(".")[2].lstrip("_")[:1].isupper()
    made.harmless = path.startswith(MAKERS) or (is_class and not owned)
    if owned and not made.harmless and not path.startswith(FOREIGN):
        made.__new__ = _refuse  # type: ignore[assignment,method-assign]
    return made


def _refuse(cls: type, *args: Any) -> Any:
    raise pickle.UnpicklingError(f"it asks for {cls.__module__}.{cls.__qualname__}")


def _storage_dtype(name: str) -> torch.dtype:
    """The dtype of a storage class such as FloatStorage."""
    if name == "UntypedStorage":
        return torch.uint8
    short = {"Byte": "uint8", "Char": "int8", "BFloat16": "bfloat16", "ComplexFloat": "complex64"}
    dtype = getattr(torch, short.get(name.removesuffix("Storage"), name.removesuffix("Storage").lower()), None)
    if not isinstance(dtype, torch.dtype):
        raise pickle.UnpicklingError(f"it asks for torch.{name}, which is no storage of plain numbers")
    return dtype


def _known() -> dict[str, Any]:
    """The objects that are rebuilt, by name; new functions for each pickle, so that no pickle can change another's."""

    def tensor(storage: Tensor, offset: int, size: Any, stride: Any, *rest: Any) -> Tensor:
        return storage.as_strided(tuple(size), tuple(stride), offset)

    def parameter(data: Tensor, *rest: Any) -> Tensor:
        return data

    def bare(kind: Any, *rest: Any) -> Any:
        if not isinstance(kind, _InertType):
            raise pickle.UnpicklingError("it asks for copyreg._reconstructor on a class of the standard library")
        return kind.__new__(kind)  # type: ignore[call-overload]

    def latin1(text: str, encoding: str = "latin1") -> bytes:
        if encoding != "latin1":
            raise pickle.UnpicklingError(f"it asks for the encoding {encoding!r}")
        return text.encode("latin1")

    def frombuffer(data: Any, dtype: Any, shape: Any, order: str, *rest: Any) -> Any:
        return np.frombuffer(data, dtype=dtype).reshape(shape, order=order)  # type: ignore[call-overload]

    def plain_dict(*given: Any) -> dict[Any, Any]:
        return dict(given[0]) if given and isinstance(given[0], Mapping) else {}

    def plain_list(given: Iterable[Any] = (), *rest: Any) -> list[Any]:
        return list(given)

    def text(*given: Any) -> str:
        return " ".join(map(str, given))

    plain: dict[str, Any] = {f"builtins.{kind.__name__}": kind for kind in PLAIN}
    return plain | {
        "builtins.object": _InertType("object", (Inert,), {"__module__": "builtins"}),
        "collections.OrderedDict": OrderedDict,
        "collections.defaultdict": plain_dict,
        "collections.Counter": plain_dict,
        "collections.deque": plain_list,
        "copyreg._reconstructor": bare,
        "_codecs.encode": latin1,
        "numpy._core.multiarray._reconstruct": _RECONSTRUCT,
        "numpy._core.multiarray.scalar": _SCALAR,
        "numpy._core.numeric._frombuffer": frombuffer,
        "numpy.ndarray": np.ndarray,
        "numpy.dtype": np.dtype,
        "torch._utils._rebuild_tensor": tensor,
        "torch._utils._rebuild_tensor_v2": tensor,
        "torch._utils._rebuild_tensor_v3": tensor,
        "torch._utils._rebuild_parameter": parameter,
        "torch._utils._rebuild_parameter_with_state": parameter,
        "torch.Size": plain_list,
        "torch.device": text,
    }
