"""From bytes to what the network sees."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.normalisation import MEAN, STD, NormalisationConfig, Normalise


def image(value: int = 0) -> torch.Tensor:
    return torch.full((2, 3, 4, 5), value, dtype=torch.uint8)


def test_it_is_less_the_mean_and_over_the_deviation_of_each_channel() -> None:
    out = Normalise()(image(200))
    assert torch.allclose(out[1, :, 2, 3], (200 - torch.tensor(MEAN)) / torch.tensor(STD))


def test_bytes_of_the_mean_become_zero() -> None:
    assert not Normalise(mean=(7, 7, 7), std=(2, 2, 2))(image(7)).any()


def test_the_result_is_channels_last() -> None:
    assert Normalise()(image()).is_contiguous(memory_format=torch.channels_last)


def test_the_result_has_the_modules_dtype() -> None:
    assert Normalise().double()(image()).dtype == torch.float64


def test_there_is_nothing_to_learn() -> None:
    assert list(Normalise().parameters()) == []


def unchecked(mean: Any, std: Any) -> NormalisationConfig:
    """As it is made outside of tests, where nothing compares the arguments with the annotations first."""
    config = object.__new__(NormalisationConfig)
    for name, value in (("mean", mean), ("std", std)):
        object.__setattr__(config, name, value)
    config.__post_init__()
    return config


def test_a_configuration_of_numpy_numbers_holds_plain_ones() -> None:
    numbers = (np.float64(0.5),) * 3
    assert {type(value) for value in NormalisationConfig(numbers, numbers).mean} == {float}


KINDS: dict[str, Callable[[list[float]], Any]] = {
    "list": list,
    "NumPy float64": lambda values: [np.float64(value) for value in values],
    "NumPy float32": lambda values: [np.float32(value) for value in values],
    "array": np.array,
    "tensor": torch.tensor,
    "double tensor": lambda values: torch.tensor(values, dtype=torch.float64),
    "buffer": lambda values: torch.tensor(values).view(3, 1, 1),
    "fractions": lambda values: [Fraction(value) for value in values],
    "scalars of tensors": lambda values: [torch.tensor(value) for value in values],
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_numbers_of_any_kind_become_float32(kind: Callable[[list[float]], Any]) -> None:
    given = Normalise(kind([0.5, 0.25, 1.0]), kind([1.0, 2.0, 4.0]))
    config = unchecked(kind([0.5, 0.25, 1.0]), kind([1.0, 0.5, 0.25]))
    for module in (given, Normalise.from_config(config)):
        assert {buffer.dtype for buffer in module.buffers()} == {torch.float32}
        assert module(image()).dtype == torch.float32
    assert {type(value) for value in (*config.mean, *config.std)} == {float}


def test_whole_numbers_become_float32() -> None:
    assert Normalise(np.arange(3), [1, 2, 3])(image()).dtype == torch.float32


def test_renewed_figures_may_be_of_numpy() -> None:
    module = Normalise()
    module.renew(np.ones(3), np.full(3, 2.0))
    assert module.mean.dtype == torch.float32
    assert module.std.flatten().tolist() == [2.0] * 3


BAD: list[tuple[Any, Any, str]] = [
    ([0.5] * 3, [0.5] * 2, "not 3 and 2 numbers"),
    ([], [], "not 0 and 0 numbers"),
    ([0.5] * 3, [0.5, -0.5, 0.5], "std is above 0"),
    ([0.5] * 3, [0.5, 0.0, 0.5], "std is above 0"),
    ([0.5, float("nan"), 0.5], [0.5] * 3, "are finite"),
    ([0.5, "a", 0.5], [0.5] * 3, "mean is a list of numbers"),
    (0.5, [0.5] * 3, "mean is a list of numbers"),
    ([124] * 3, [58] * 3, "for images in 0-1"),
]


@pytest.mark.parametrize(("mean", "std", "message"), BAD, ids=[message for *_, message in BAD])
def test_figures_that_cannot_be_are_refused_in_one_line(mean: Any, std: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"normalisation: .*{message}") as caught:
        unchecked(mean, std)
    assert "\n" not in str(caught.value)


def test_a_normalisation_for_other_channels_is_refused() -> None:
    two = NormalisationConfig((0.5,) * 2, (0.5,) * 2)
    with pytest.raises(ConfigError, match="a number for each of 3 channels, not 2"):
        Normalise.for_channels(two, 3)
    assert Normalise.for_channels(two, 2).mean.flatten().tolist() == [127.5] * 2
    assert len(Normalise.for_channels(None, 5).mean) == 5
