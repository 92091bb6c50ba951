"""A segmenter: any encoder with any decoder."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.models.upsampling import upsample


class Segmenter(nn.Module):
    """An encoder, which computes feature maps at several strides, and a decoder, which computes class logits from them.

    A call returns logits (B, num_classes, H, W) at the size of the images (B, I, H, W), which may be any.

    Args:
        encoder: From the image to a tuple of feature maps, finest first.
        decoder: From all feature maps to logits at its `stride`.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    @property
    def stride(self) -> int:
        """Stride of the logits of `decode`, in pixels."""
        stride: int = self.decoder.stride  # type: ignore[assignment]
        return stride

    def decode(self, image: Float[Tensor, "B I H W"]) -> Float[Tensor, "B K h w"]:
        """Logits at the decoder's stride, height and width rounded up; at stride 1 they may exceed the image."""
        logits: Tensor = self.decoder(self.encoder(image))
        return logits

    def forward(self, image: Float[Tensor, "B I H W"]) -> Float[Tensor, "B K H W"]:
        height, width = image.shape[2:]
        logits = self.decode(image)
        if self.stride == 1:
            return logits[..., :height, :width]
        return upsample(logits, (height, width))
