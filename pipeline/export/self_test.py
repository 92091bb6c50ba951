"""The self-test of an exported model: three small images, and the answers to them."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foveate.pipeline.export.contract import LABELS, Contract, Json
from foveate.pipeline.export.images import Sample, Size
from foveate.pipeline.export.runtime import ExportedModel

IMAGES = 3
SIDE = 96  # pixels of the longer side of a stored image
STEP = 32  # its sides are multiples of this
SAMPLES = 1999  # logits that are stored for each image, about
LEAST = {"fp32": 0.995, "fp16": 0.99, "bf16": 0.97, "int8": 0.97}  # share of equal labels; processors round differently
ERROR = {"fp32": 0.01, "fp16": 0.03, "bf16": 0.1, "int8": 0.1}  # of a logit, as a share of the largest


def create_self_test(exported: ExportedModel, samples: Sequence[Sample], payload: tuple[int, str | None]) -> Json:
    """Images and answers for `check_model.py`. The answers are those of the file here, once it agrees with PyTorch.

    Args:
        exported: The file.
        samples: Real images.
        payload: Length and SHA-256 of the bytes that hold the graph.
    """
    contract = exported.contract
    chosen = [samples[index * len(samples) // IMAGES] for index in range(IMAGES)]
    return {
        "contract": contract_digest(contract),
        "bytes": payload[0],
        "sha256": payload[1],
        "least_equal": LEAST[contract.precision],
        "largest_error": ERROR[contract.precision],
        "images": [_case(exported, sample, number) for number, sample in enumerate(chosen)],
    }


def contract_digest(contract: Contract) -> str:
    """SHA-256 of a contract without its self-test.

    Args:
        contract: The contract.
    """
    given = {key: value for key, value in contract.as_json().items() if key != "self_test"}
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()


def _case(exported: ExportedModel, sample: Sample, number: int) -> Json:
    """One image: stored small, and enlarged to the size at which the file runs by repeating its pixels."""
    stored = sample.resized(_stored_size(exported.contract.size or sample.size))
    size = exported.contract.size or _larger(stored.size, number)
    image = enlarge(stored.image.numpy(), size)
    output = exported(image[None])
    labels = output if exported.contract.output == LABELS else output.argmax(1)
    every = max(1, output.size // SAMPLES) | 1  # odd, so that not only some columns are met
    logits = b"" if exported.contract.output == LABELS else output.ravel()[::every].astype(np.float32).tobytes()
    return {
        "stored_size": list(stored.image.shape),
        "size": list(size),
        "image": _packed(stored.image.numpy().tobytes()),
        "labels": _packed(labels.astype(np.uint16).tobytes()),
        "every": every,
        "logits": _packed(logits),
    }


def _stored_size(size: Size) -> Size:
    """The size of a stored image, with the proportions of the whole one."""
    factor = SIDE / max(size)
    height, width = (max(1, round(side * factor / STEP)) * STEP for side in size)
    return height, width


def _larger(size: Size, number: int) -> Size:
    """The size at which an image is tested in a file that takes any: its own, twice as wide, twice as high."""
    return size[0] * (2 if number == 2 else 1), size[1] * (2 if number == 1 else 1)


def enlarge(image: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """An image (C, h, w) at another size, by repeating or leaving out pixels.

    Args:
        image: The image.
        size: Height and width.

    Example:
        >>> enlarge(np.array([[[1, 2]]], dtype=np.uint8), (2, 4)).tolist()
        [[[1, 1, 2, 2], [1, 1, 2, 2]]]
    """
    rows = np.arange(size[0]) * image.shape[1] // size[0]
    columns = np.arange(size[1]) * image.shape[2] // size[1]
    return np.ascontiguousarray(image[:, rows][..., columns])


def _packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 9)).decode()
