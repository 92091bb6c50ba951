"""The checker that every other test relies on is at work, with shapes and without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jaxtyping
import pytest
import torch
from beartype import BeartypeConf, beartype
from jaxtyping import Float, TypeCheckError
from torch import Tensor

from foveate.datasets.batch import Pick
from foveate.pipeline.metrics.confusion import count_confusion
from foveate.pipeline.optimisation.optimiser import depth_of
from foveate.plugins.attention.se import SqueezeExcitation
from foveate.plugins.records import Block
from foveate.tests.signatures import checked

if TYPE_CHECKING:
    from nowhere import Unknown

REFUSED = r"violates type hint|Type-check error"  # by beartype alone, by jaxtyping
TYPES = beartype(conf=BeartypeConf(violation_type=TypeError))


def anything(value: object) -> Any:
    return value


def test_an_argument_of_another_type_is_refused() -> None:
    assert depth_of("blocks.7.norm1.bias") == (7, 0)
    with pytest.raises(TypeError, match=REFUSED):
        depth_of(anything(7))


def test_a_field_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match=REFUSED):
        Block(name="made", summary=anything(7), kind="3-D", build="torch.nn:Identity")


def test_another_number_of_dimensions_is_refused() -> None:
    block = SqueezeExcitation(16)
    assert block(torch.zeros(1, 16, 4, 4)).shape == (1, 16, 4, 4)
    with pytest.raises(TypeError, match=REFUSED):
        block(torch.zeros(16, 4, 4))


Row = Float[Tensor, " width"]


@pytest.mark.parametrize("kind", ["Row", "Row | None", "list[Row] | Row"])
def test_shapes_are_compared_within_one_call_by_whatever_name_they_are_called(kind: str) -> None:
    def inside(row: Tensor) -> None:
        """Takes a row of any width."""

    inside.__annotations__["row"] = kind
    inner = checked(inside, typechecker=TYPES)

    @checked(typechecker=TYPES)
    def outer(row: Row) -> None:
        inner(torch.zeros(2))

    outer(torch.zeros(3))
    with pytest.raises(TypeError, match=REFUSED):
        inner(torch.zeros(2, 2))


def test_names_that_only_a_type_checker_imports_are_not_checked_and_the_others_are() -> None:
    @checked(typechecker=TYPES)
    def joined(first: Unknown, second: str) -> str:
        return f"{first}{second}"

    assert joined(1, "a") == "1a"
    with pytest.raises(TypeError, match=REFUSED):
        joined(1, anything(2))


def test_a_decorated_function_looks_like_the_one_that_was_written() -> None:
    def written(first: int, *, second: str = "b") -> str:
        """What it does."""
        return f"{first}{second}"

    decorated = checked(written, typechecker=TYPES)
    assert (decorated.__name__, decorated.__doc__) == ("written", "What it does.")
    assert decorated.__annotations__ == written.__annotations__
    assert decorated(1) == "1b"


def test_the_checks_can_be_switched_off_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(TypeError, match="expected string or bytes-like object"):  # what the function itself raises
        depth_of(anything(7))


def test_shapes_are_checked() -> None:
    with pytest.raises(TypeCheckError, match="mask"):
        count_confusion(torch.zeros(1, 3, 3, dtype=torch.long), torch.zeros(1, 3, 4, dtype=torch.long), 2)


def test_numbers_of_axes_are_checked() -> None:
    with pytest.raises(TypeCheckError, match="'B C H W'"):
        SqueezeExcitation(4)(torch.rand(4, 4, 4))


def test_plain_types_are_checked() -> None:
    with pytest.raises(TypeError, match="index='first' violates type hint"):
        Pick(index="first")  # type: ignore[arg-type]
