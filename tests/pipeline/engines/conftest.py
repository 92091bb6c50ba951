"""What tests of engines share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from jaxtyping import config

from foveate.pipeline.engines.openvino import is_installed


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Shapes are not checked: while a graph is traced, sizes are tensors, and that is what the check would refuse."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


@pytest.fixture
def openvino(unchecked: None) -> Iterator[None]:
    """The runtime must be there; it is not imported here, since that decides whether it reports its use."""
    if not is_installed():
        pytest.skip("OpenVINO is not installed")
    yield
    gc.collect()  # what it leaves behind goes here, not in the middle of another test
