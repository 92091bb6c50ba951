"""From bytes to what the network sees."""

from __future__ import annotations

import torch

from foveate.pipeline.normalisation import MEAN, STD, Normalise


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
