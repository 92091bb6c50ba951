"""A classifier: an encoder, and a head on its last feature map."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.models.slots import Attention, check_slots
from foveate.plugins.blocks import SlotSpec, create_slot
from foveate.plugins.init import init_weights


class PooledHead(nn.Module):
    """Class logits from global average pooling of an encoder's last feature map.

    Args:
        channels: Number of channels C of that feature map.
        num_classes: Number of logits K.
        norm: Whether layer norm is applied to the mean, for an encoder that does not end with a norm.
        dropout: Dropout rate before the last layer.
    """

    def __init__(self, channels: int, num_classes: int, *, norm: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=1e-6) if norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(channels, num_classes)
        self.apply(init_weights)

    def forward(self, features: Sequence[Tensor]) -> Float[Tensor, "B K"]:
        return self.classify(features[-1].mean((2, 3)))

    def classify(self, pooled: Float[Tensor, "B C"]) -> Float[Tensor, "B K"]:
        """Logits from one feature vector per image."""
        logits: Tensor = self.classifier(self.dropout(self.norm(pooled)))
        return logits


class Classifier(nn.Module):
    """Class logits (B, num_classes) of images (B, I, H, W) of any size.

    Args:
        encoder: From the image to a tuple of feature maps, finest first.
        head: From the feature maps to logits; its last layer is `head.classifier`.
        input: Block in front of the encoder, such as a spatial transformer; none if not given.
    """

    def __init__(self, encoder: nn.Module, head: nn.Module, *, input: nn.Module | None = None) -> None:
        super().__init__()
        self.input = nn.Identity() if input is None else input
        self.encoder = encoder
        self.head = head

    def forward(self, image: Float[Tensor, "B I H W"]) -> Float[Tensor, "B K"]:
        logits: Tensor = self.head(self.encoder(self.input(image)))
        return logits


def split_slots(attention: Attention | None, encoder_slots: Sequence[str], model: str) -> tuple[SlotSpec, Attention]:
    """Split a classifier's slots into the blocks of the slot `input` and those of the encoder's slots.

    Raises:
        PluginConfigError: A slot is unknown to the model.

    Example:
        >>> split_slots({"input": "stn", "stage": "se"}, ("stage",), "mine")
        ('stn', {'stage': 'se'})
    """
    slots = check_slots(attention, ("input", *encoder_slots), model)
    return slots.get("input"), {slot: spec for slot, spec in slots.items() if slot != "input"}


def create_pooled_classifier(
    encoder: nn.Module,
    num_classes: int,
    *,
    in_channels: int = 3,
    input: SlotSpec = None,
    norm: bool = False,
    dropout: float = 0.0,
) -> Classifier:
    """A classifier with a `PooledHead` on any encoder that has an attribute `channels`.

    Args:
        encoder: An encoder with `channels`, the number of channels of each of its feature maps, finest first.
        num_classes: Number of classes.
        in_channels: Channels of the image, for the slot `input`.
        input: Blocks for that slot, before the encoder.
        norm: See PooledHead.
        dropout: See PooledHead.
    """
    widths: Sequence[int] = encoder.channels  # type: ignore[assignment]
    head = PooledHead(widths[-1], num_classes, norm=norm, dropout=dropout)
    return Classifier(encoder, head, input=create_slot(input, in_channels))
