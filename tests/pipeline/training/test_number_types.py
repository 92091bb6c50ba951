"""A whole number stays one, whatever was imported before: 1 batch is not all of them."""

# ruff: noqa: UP007

from typing import Union, get_args

import lightning.pytorch as L
import pytest

from foveate.pipeline.training.lightning_cli import RecipeParser
from foveate.pipeline.training.number_types import prefer_int


class Limit(L.Callback):
    """As the trainer's arguments are, where another package asked `typing` for float first."""

    def __init__(self, batches: Union[float, int, None] = None) -> None:
        self.batches = batches


@pytest.mark.parametrize("text", ["1", "1.0", "0.5", "null"])
def test_one_batch_is_not_all_of_them(text: str) -> None:
    parser = RecipeParser(prog="foveate fit")
    parser.add_lightning_class_args(Limit, "limit")
    read = parser.parse_args([f"--limit.batches={text}"]).limit.batches
    assert repr(read) == text.replace("null", "None")


@pytest.mark.parametrize(
    ("hint", "kinds"),
    [
        (Union[float, int], (int, float)),
        (Union[str, float, bool, int, None], (str, int, float, bool, type(None))),
        (Union[float, str], (float, str)),
        (Union[int, str, float], (str, int, float)),
    ],
)
def test_only_int_is_moved(hint: object, kinds: tuple[type, ...]) -> None:
    def limit(value: object) -> None: ...

    limit.__annotations__["value"] = hint
    prefer_int(limit)
    assert get_args(limit.__annotations__["value"]) == kinds
