"""The shared options of data modules, as the parser of recipes and flags reads them."""

from __future__ import annotations

import inspect
from typing import Any, Unpack

import pytest
from jsonargparse import ArgumentError, ArgumentParser

from foveate.datasets.cifar10 import Cifar10DataModule
from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.classification import ClassificationDataModule
from foveate.datasets.digits import DigitsDataModule
from foveate.datasets.loading.data_module import LoadingDataModule
from foveate.datasets.loading.options import LoadingOptions, spell_out
from foveate.datasets.segmentation import SegmentationDataModule

MODULES = [SegmentationDataModule, ClassificationDataModule, CityscapesDataModule, DigitsDataModule, Cifar10DataModule]


class Strange(SegmentationDataModule):
    """A data set of somebody's own, written as before.

    Args:
        mine: An option of its own.
        crop: Height and width of a training sample.
        options: The rest.
    """

    def __init__(
        self, root: str | None = None, *, mine: int = 1, crop: tuple[int, int] = (8, 8), **options: Any
    ) -> None:
        super().__init__(root, crop=crop, **options)
        self.mine = mine


def parser(kind: type[LoadingDataModule]) -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind, "data")
    return parser


@pytest.mark.parametrize("kind", MODULES)
def test_a_signature_shows_every_option_with_its_default(kind: type[LoadingDataModule]) -> None:
    shown = inspect.signature(kind).parameters
    assert not [name for name, one in shown.items() if one.kind is inspect.Parameter.VAR_KEYWORD]
    assert {name: shown[name].default for name in kind.defaults} == kind.defaults


@pytest.mark.parametrize("kind", [*MODULES, Strange])
def test_every_option_has_help_and_a_type(kind: type[LoadingDataModule]) -> None:
    text = " ".join(parser(kind).format_help().split())
    for name in inspect.signature(kind).parameters:
        if name not in ("mine", "options"):
            assert f"--data.{name} " in text
    assert text.count("(type: ") >= len(kind.defaults)
    assert "Decides shuffling and augmentation; the run's seed if not given." in text


def test_a_typo_and_a_wrong_type_are_refused() -> None:
    for words in (["--data.crp=3"], ["--data.flip=often"], ["--data.cache=all"]):
        with pytest.raises(ArgumentError):
            parser(CityscapesDataModule).parse_args(words)


@pytest.mark.parametrize("crop", ["256x320", "[256, 320]"])
def test_sizes_are_taken_in_both_spellings(crop: str) -> None:
    parsed = parser(CityscapesDataModule)
    data = parsed.instantiate(parsed.parse_args([f"--data.crop={crop}"])).data
    assert data.transform.crop == (256, 320)


@pytest.mark.parametrize("side", ["24", "24x24"])
def test_a_side_is_taken_in_both_spellings(side: str) -> None:
    parsed = parser(DigitsDataModule)
    assert parsed.instantiate(parsed.parse_args([f"--data.image_size={side}"])).data.image_size == 24


def test_an_own_class_with_options_of_any_kind_goes_on_working() -> None:
    parsed = parser(Strange)
    data = parsed.instantiate(parsed.parse_args(["--data.mine=3", "--data.batch_size=5"])).data
    assert (data.mine, data.batch_size, data.transform.crop) == (3, 5, (8, 8))


def test_an_option_without_a_default_is_a_mistake_of_the_class() -> None:
    def build(self: object, **options: Unpack[LoadingOptions]) -> None: ...

    with pytest.raises(
        TypeError, match="LoadingOptions: no default for total_batch, num_workers, seed, worker_timeout, fold"
    ):
        spell_out(build, {"batch_size": 1, "eval_batch_size": 1})
