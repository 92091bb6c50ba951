"""Published tensors in other shapes, against timm."""

from __future__ import annotations

import pytest
import torch
from timm.layers import resample_abs_pos_embed, resample_patch_embed

from foveate.pipeline.weights.adapting import adapt, change_channels, resize_patches


@pytest.mark.parametrize("size", [(8, 8), (32, 32), (12, 20)])
def test_patches_are_resized_as_by_timm(size: tuple[int, int]) -> None:
    kernel = torch.rand(5, 3, 16, 16)
    assert torch.allclose(resize_patches(kernel, size), resample_patch_embed(kernel, list(size)), atol=1e-4)


@pytest.mark.parametrize("grid", [(7, 7), (20, 20), (10, 14)])
def test_positions_are_resized_as_by_timm(grid: tuple[int, int]) -> None:
    positions = torch.rand(1, 1 + 14 * 14, 6)
    wanted = torch.empty(1, 1 + grid[0] * grid[1], 6)
    adapted = adapt("encoder.pos_embed", positions, wanted, stem=False, grid=grid)
    assert adapted is not None
    assert torch.allclose(adapted.tensor, resample_abs_pos_embed(positions, list(grid)), atol=1e-5)
    assert torch.equal(adapted.tensor[:, 0], positions[:, 0])


def test_one_channel_answers_a_grey_image_as_three_do() -> None:
    kernel, grey = torch.rand(4, 3, 3, 3), torch.rand(1, 1, 5, 5)
    three = torch.nn.functional.conv2d(grey.expand(1, 3, 5, 5), kernel)
    assert torch.allclose(torch.nn.functional.conv2d(grey, change_channels(kernel, 1)), three, atol=1e-5)


def test_more_channels_repeat_the_old_ones_and_keep_the_answer_s_size() -> None:
    kernel = torch.rand(4, 3, 3, 3)
    six = change_channels(kernel, 6)
    assert torch.equal(six[:, 3:], kernel / 2)
    assert torch.allclose(change_channels(kernel, 4)[:, 3], kernel[:, 0] * 3 / 4)
    assert torch.allclose(six.sum(1), kernel.sum(1), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "given", "wanted", "stem"),
    [
        ("encoder.features.3.weight", (4, 3, 3, 3), (4, 1, 3, 3), False),
        ("encoder.features.0.weight", (4, 3, 3, 3), (8, 3, 3, 3), True),
        ("encoder.features.0.weight", (4, 3, 3, 3), (4, 3, 5, 5), True),
        ("encoder.pos_embed", (1, 7, 6), (1, 5, 6), False),
        ("encoder.pos_embed", (1, 17, 6), (1, 5, 8), False),
    ],
    ids=["not the stem", "wider", "another kernel", "no square", "another width"],
)
def test_what_is_another_thing_is_not_made_to_fit(
    name: str, given: tuple[int, ...], wanted: tuple[int, ...], stem: bool
) -> None:
    assert adapt(name, torch.rand(given), torch.rand(wanted), stem=stem, grid=(2, 2)) is None
