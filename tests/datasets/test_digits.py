"""Scikit-learn's digits, in three parts that never change."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits

from foveate.datasets.digits import DigitsDataModule, split_digits


def test_parts_are_disjoint_complete_and_the_same_each_time() -> None:
    labels = load_digits().target
    parts = split_digits(labels)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(1797))
    assert {name: len(part) for name, part in parts.items()} == {"train": 1293, "val": 144, "test": 360}
    assert parts["test"][:5].tolist() == split_digits(labels)["test"][:5].tolist()


def test_each_part_has_every_digit_in_proportion() -> None:
    labels = load_digits().target
    shares = np.bincount(labels) / len(labels)
    for part in split_digits(labels).values():
        assert np.abs(np.bincount(labels[part]) / len(part) - shares).max() < 0.01


def test_ink_of_0_to_16_becomes_0_to_255_in_three_equal_channels() -> None:
    data = DigitsDataModule()
    data.setup("test")
    batch = next(iter(data.test_dataloader()))
    digits = load_digits()
    stored = digits.images[split_digits(digits.target)["test"][0]]
    assert torch.equal(batch["image"][0, 0], torch.from_numpy(np.round(stored * 255 / 16).astype(np.uint8)))
    assert (batch["image"] == batch["image"][:, :1]).all()
    assert (int(batch["image"].min()), int(batch["image"].max())) == (0, 255)


def test_training_moves_digits_and_leaves_val_alone() -> None:
    data = DigitsDataModule(image_size=16, seed=0)
    data.setup("fit")
    train, val = next(iter(data.train_dataloader())), next(iter(data.val_dataloader()))
    assert train["image"].shape == val["image"].shape == (64, 3, 16, 16)
    still = DigitsDataModule(image_size=16, seed=0, rotation=0.0, shift=0.0)
    still.setup("fit")
    assert not torch.equal(next(iter(still.train_dataloader()))["image"], train["image"])
    assert torch.equal(next(iter(still.val_dataloader()))["image"], val["image"])
    assert data.label_set.names == tuple("0123456789")
