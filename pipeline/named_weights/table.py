"""The weights that `--model.weights NAME` fetches: address, checksum, licence and layout of each.

A checksum is the start of the file's SHA-256, as far as its publisher puts it into the file's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

OPENMMLAB = "https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segnext"
VAN_AUTHORS = "https://huggingface.co/Visual-Attention-Network"
TIMM_FILES = "https://github.com/huggingface/pytorch-image-models/releases/download/v0.1-weights"
TIMM_HUB = "https://huggingface.co/timm"
HALF = {"mean": "[127.5, 127.5, 127.5]", "std": "[127.5, 127.5, 127.5]"}  # of images that augreg's ViTs expect


@dataclass(frozen=True, kw_only=True)
class Published:
    """One file of weights.

    Attributes:
        address: Where it is fetched from.
        file: Its name in the cache folder.
        sha256: The first digits of its SHA-256; empty if its publisher does not tell them.
        licence: Of the weights, as their publisher states it.
        layout: Whose parameter names it has.
        trained_on: The data set.
        metadata: Mean and standard deviation of its images (0-255), where they are not ImageNet's.
    """

    address: str
    file: str
    sha256: str = ""
    licence: str = "Apache-2.0"
    layout: str
    trained_on: str = "ImageNet-1K"
    metadata: Mapping[str, str] | None = None


def _mscan(size: str, digits: str) -> Published:
    file = f"mscan_{size}_20230227-{digits}.pth"
    return Published(address=f"{OPENMMLAB}/{file}", file=file, sha256=digits, layout="MSCAN, as published by mmseg")


def _van(repository: str, file: str) -> Published:
    address = f"{VAN_AUTHORS}/{repository}/resolve/main/{file}"
    return Published(address=address, file=file, layout="VAN, as published by its authors")


def _timm_mobilenet(stem: str, digits: str) -> Published:
    file = f"{stem}-{digits}.pth"
    return Published(address=f"{TIMM_FILES}/{file}", file=file, sha256=digits, layout="timm MobileNetV2")


def _timm_vit(name: str) -> Published:
    return Published(
        address=f"{TIMM_HUB}/{name}/resolve/main/model.safetensors",
        file=f"{name}.safetensors",
        layout="timm ViT",
        trained_on="ImageNet-21K, then ImageNet-1K",
        metadata=HALF,
    )


WEIGHTS: dict[str, Published] = {
    "mscan_t": _mscan("t", "119e8c9f"),
    "mscan_s": _mscan("s", "f33ccdf2"),
    "mscan_b": _mscan("b", "3ab7d230"),
    "mscan_l": _mscan("l", "cef260d4"),
    "van_b0": _van("VAN-Tiny-original", "van_tiny_754.pth.tar"),
    "van_b1": _van("VAN-Small-original", "van_small_811.pth.tar"),
    "van_b2": _van("VAN-Base-original", "van_base_828.pth.tar"),
    "van_b3": _van("VAN-Large-original", "van_large_839.pth.tar"),
    "mobilenet_v2_050": _timm_mobilenet("mobilenetv2_050", "3d30d450"),
    "mobilenet_v2_100": _timm_mobilenet("mobilenetv2_100_ra", "b33bc2c4"),
    "mobilenet_v2_140": _timm_mobilenet("mobilenetv2_140_ra", "21a4e913"),
    "vit_ti": _timm_vit("vit_tiny_patch16_224.augreg_in21k_ft_in1k"),
    "vit_s": _timm_vit("vit_small_patch16_224.augreg_in21k_ft_in1k"),
    "vit_b": _timm_vit("vit_base_patch16_224.augreg2_in21k_ft_in1k"),
    "vit_l": _timm_vit("vit_large_patch16_224.augreg_in21k_ft_in1k"),
}


def name_of_address(address: str) -> str | None:
    """The name of the weights with an address.

    Args:
        address: An https URL, such as a config of mmseg names.

    Example:
        >>> name_of_address(WEIGHTS["van_b0"].address), name_of_address("https://example.com/weights.pth")
        ('van_b0', None)
    """
    return next((name for name, one in WEIGHTS.items() if one.address == address), None)
