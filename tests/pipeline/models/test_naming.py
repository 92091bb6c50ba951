"""Networks' names that nobody knows are answered with one that would do."""

from __future__ import annotations

import pytest

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models import create_model
from foveate.plugins.errors import PluginConfigError


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("timm:resnet18+unet", "did you mean 'timm:resnet18+smp:Unet'"),
        ("resnet18+unet", "did you mean 'timm:resnet18+smp:Unet'"),
        ("resnet18+smp:Unet", "did you mean 'timm:resnet18+smp:Unet'"),
        ("vgg16+fpn", "did you mean 'timm:vgg16+smp:FPN'"),
        ("mscan_t+deeplabv3plus", "did you mean 'mscan_t+smp:DeepLabV3Plus'"),
        ("mscan_t+deeplabv3+", r"did you mean 'mscan_t\+smp:DeepLabV3Plus'"),
        ("timm:resnet18+smp:deeplabv3+", "did you mean 'smp:DeepLabV3Plus'"),
        ("timm:resnet18+smp:unet", "did you mean 'smp:Unet'"),
        ("timm:resnet18+timm:unet", "did you mean 'timm:resnet18+smp:Unet'"),
        ("mscan_t+unet++", "did you mean 'mscan_t+smp:UnetPlusPlus'"),
        ("mscan_t+LightHam", "did you mean 'mscan_t+light_ham'"),
        ("MSCAN-T+smp:FPN", "did you mean 'mscan_t+smp:FPN'"),
        ("resnet18", "did you mean 'timm:resnet18'"),
        ("segnext-t", "did you mean 'segnext_t'"),
        ("unet", "'smp:Unet' is a decoder: write ENCODER+smp:Unet"),
        ("mscan_t+", "no decoder named ''"),
        ("mscan_t+nothing", "no decoder named 'nothing' .installed: light_ham, linear_head, smp:"),
    ],
)
def test_the_nearest_network_is_named_in_one_line(name: str, hint: str) -> None:
    with pytest.raises((ConfigError, PluginConfigError)) as error:
        create_model(name, num_classes=3)
    message = str(error.value)
    assert hint.replace("\\", "").replace(" .i", " (i") in message
    assert "\n" not in message
    assert len(message) < 300
