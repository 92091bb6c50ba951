"""Classes of pixels without full-size logits."""

from __future__ import annotations

import pytest
import torch

from foveate.pipeline.models.upsampling import classify, classify_upsampled, upsample


@pytest.mark.parametrize(
    ("cells", "size"), [((32, 48), (256, 384)), ((9, 13), (36, 52)), ((9, 13), (70, 101)), ((8, 8), (8, 8))]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_classes_are_those_of_the_full_logits(
    cells: tuple[int, int], size: tuple[int, int], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foveate.pipeline.models.upsampling.BAND_BYTES", 100_000)
    logits = torch.randn(2, 7, *cells).to(dtype)
    assert torch.equal(classify_upsampled(logits, size), upsample(logits, size).argmax(1))


def test_among_equals_the_first_class_is_taken() -> None:
    logits = torch.zeros(1, 4, 5, 6)
    logits[:, 1:] = 1
    assert torch.equal(classify(logits), logits.argmax(1))
