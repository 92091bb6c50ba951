"""The mean loss of an evaluation."""

from __future__ import annotations

import math

import pytest
import torch

from foveate.pipeline.metrics.mean import MeanLoss


def test_each_loss_counts_for_its_images() -> None:
    mean = MeanLoss()
    mean.update(torch.tensor(1.0), 4)
    mean.update(torch.tensor(4.0), 2)
    assert mean.compute().item() == pytest.approx(2.0)


def test_a_loss_that_is_not_finite_shows() -> None:
    mean = MeanLoss()
    mean.update(torch.tensor(1.0), 4)
    mean.update(torch.tensor(float("nan")), 1)
    assert math.isnan(mean.compute().item())


@pytest.mark.filterwarnings("ignore:The ``compute`` method:UserWarning")
def test_nothing_added_is_nan_and_a_reset_starts_over() -> None:
    mean = MeanLoss()
    mean.update(torch.tensor(3.0), 1)
    mean.reset()
    assert math.isnan(mean.compute().item())
