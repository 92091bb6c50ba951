"""The linear decoder: what it computes, and pretrained transformers of today under it and under DPT."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch
import torch.nn.functional as F

from foveate.datasets.labels import CAMVID
from foveate.pipeline.models import create_model
from foveate.pipeline.models.linear import create_decoder
from foveate.pipeline.segmentation import SegmentationTask


def test_logits_are_a_linear_map_of_each_position() -> None:
    decoder = create_decoder("linear_head", in_channels=(2, 3), strides=(8, 16), num_classes=4).eval()
    fine, coarse = torch.randn(2, 2, 8, 6), torch.randn(2, 3, 4, 3)
    both = torch.cat([fine, F.interpolate(coarse, (8, 6), mode="bilinear")], 1)
    normalised = both / (1 + decoder.norm.eps) ** 0.5
    expected = torch.einsum("bchw,kc->bkhw", normalised, decoder.classify.weight[..., 0, 0])
    torch.testing.assert_close(decoder([fine, coarse]), expected)


@pytest.mark.parametrize("size", [(64, 96), (50, 70)])
@pytest.mark.parametrize("decoder", ["linear_head", "smp:DPT"])
def test_a_transformer_with_registers_labels_images_of_any_size(decoder: str, size: tuple[int, int]) -> None:
    options = {"encoder": {"out_indices": [2, 5, 8, 11]}}
    model = create_model(f"timm:vit_small_patch16_lingbot+{decoder}", num_classes=5, **options).eval()
    assert len(model.encoder.strides) == 4
    with torch.inference_mode():
        assert model(torch.randn(1, 3, *size)).shape == (1, 5, *size)


def test_weights_of_timms_file_are_those_of_the_encoder(tmp_path: Path) -> None:
    """As published files have them: with the norm and the head's place that features do not need."""
    torch.manual_seed(1)
    theirs = timm.create_model("vit_small_patch16_lingbot", dynamic_img_size=True).eval()
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(theirs.state_dict(), path)
    task = SegmentationTask(network="timm:vit_small_patch16_lingbot+linear_head", labels=CAMVID, weights=str(path))
    task.load_initial_weights()
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        expected = theirs.forward_intermediates(image, indices=[11], intermediates_only=True, norm=False)[0]
        torch.testing.assert_close(task.network.encoder.eval()(image)[-1], expected)
