"""Networks for images of any number of channels."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from foveate.datasets.labels import CAMVID
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.hub import from_pretrained, model_of, save_pretrained
from foveate.pipeline.models import create_model
from foveate.pipeline.models.channels import image_channels
from foveate.pipeline.models.stages import parameters_by_stage
from foveate.pipeline.segmentation import SegmentationTask

NETWORKS = (
    "segnext_t",
    "mscan_t+light_ham",
    "mobilenet_v2_050+smp:DeepLabV3Plus",
    "vit_ti+light_ham",
    "timm:test_convnext+light_ham",
    "smp:resnet18+light_ham",
)


@pytest.mark.parametrize("channels", [1, 4, 7])
@pytest.mark.parametrize("network", NETWORKS)
def test_any_segmenter_takes_any_number_of_channels(network: str, channels: int) -> None:
    task = SegmentationTask(network, labels=CAMVID, in_channels=channels).eval()
    image = torch.randint(0, 256, (1, channels, 64, 64), dtype=torch.uint8)
    assert task(image).shape == (1, 11, 64, 64)
    assert image_channels(task.network) == channels


@pytest.mark.parametrize("network", ["mscan_t", "mobilenet_v2_050", "timm:test_convnext"])
def test_classifiers_do_too(network: str) -> None:
    model = create_model(network, num_classes=5, in_channels=2).eval()
    assert model(torch.rand(1, 2, 64, 64)).shape == (1, 5)


def test_a_task_is_rebuilt_from_its_settings_with_its_channels() -> None:
    task = SegmentationTask("segnext_t", labels=CAMVID, in_channels=4)
    again = SegmentationTask("segnext_t", labels=CAMVID, network_options=task.hparams["network_options"])
    again.load_state_dict(task.state_dict())
    assert task.hparams["network_options"] == {"in_channels": 4}


def test_three_channels_change_no_setting() -> None:
    for channels in (None, 3):
        assert SegmentationTask("segnext_t", labels=CAMVID, in_channels=channels).hparams["network_options"] is None


def test_images_that_contradict_the_options_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"the images have 3 channels, and network_options say in_channels 4"):
        SegmentationTask("segnext_t", labels=CAMVID, in_channels=3, network_options={"in_channels": 4})


def test_the_first_convolution_of_rgb_weights_is_repeated_and_scaled(tmp_path: Path) -> None:
    rgb = create_model("segnext_t", num_classes=11)
    save_file(rgb.state_dict(), tmp_path / "w.safetensors")
    task = SegmentationTask("segnext_t", labels=CAMVID, in_channels=6, weights=str(tmp_path / "w.safetensors"))
    task.load_initial_weights()
    stem = "encoder.patch_embed1.proj.0.weight"
    torch.testing.assert_close(task.network.state_dict()[stem].sum(1), rgb.state_dict()[stem].sum(1))
    assert task.normalise.mean.flatten().tolist() == [127.5] * 6  # ImageNet's are for three


class Data:
    """A data module that says how its images are normalised."""

    def image_statistics(self) -> tuple[list[float], list[float]]:
        return [10.0, 20.0, 30.0, 40.0], [1.0, 2.0, 3.0, 4.0]


def test_the_normalisation_follows_from_the_data_once(capsys: pytest.CaptureFixture[str]) -> None:
    task = SegmentationTask("segnext_t", labels=CAMVID, in_channels=4)
    task.take_statistics(object())
    assert task.normalise.mean.flatten().tolist() == [127.5] * 4
    task.take_statistics(Data())
    task.normalise.mean.zero_()
    task.take_statistics(Data())
    assert task.normalise.mean.flatten().tolist() == [0.0] * 4
    assert "normalisation of training images, in 0-255: mean 10.0, 20.0, 30.0, 40.0; std" in capsys.readouterr().err


def test_a_resumed_training_keeps_its_normalisation() -> None:
    task = SegmentationTask("segnext_t", labels=CAMVID, in_channels=4)
    task.on_load_checkpoint({})
    task.take_statistics(Data())
    assert task.normalise.mean.flatten().tolist() == [127.5] * 4


def test_a_model_of_the_hub_keeps_channels_and_normalisation(tmp_path: Path) -> None:
    task = SegmentationTask("segnext_t", labels=CAMVID, in_channels=4)
    task.take_statistics(Data())
    torch.save({"state_dict": task.state_dict(), "hyper_parameters": dict(task.hparams)}, tmp_path / "a.ckpt")
    save_pretrained(model_of(tmp_path / "a.ckpt"), tmp_path / "hub")
    model = from_pretrained(tmp_path / "hub")
    assert model.normalise.std.flatten().tolist() == [1, 2, 3, 4]
    assert model(torch.zeros(1, 4, 64, 64, dtype=torch.uint8)).shape == (1, 11, 64, 64)


def test_stages_are_found_at_any_number_of_channels() -> None:
    model = create_model("segnext_t", num_classes=3, in_channels=5)
    assert len(parameters_by_stage(model.encoder)) == 4  # type: ignore[arg-type]
