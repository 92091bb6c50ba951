"""A segmenter: any encoder under any decoder."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.models.upsampling import upsample


class Segmenter(nn.Module):
    """An `encoder` gives features at several strides, a `decoder` class logits from them.

    Calling it gives logits (B, num_classes, H, W) at the size of the image (B, I, H, W), whatever that is.

    Args:
        encoder: From the image to a tuple of features, finest first.
        decoder: From all of those to logits at its `stride`.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    @property
    def stride(self) -> int:
        """Of the logits that `decode` gives, in pixels."""
        stride: int = self.decoder.stride  # type: ignore[assignment]
        return stride

    def decode(self, image: Float[Tensor, "B I H W"]) -> Float[Tensor, "B K h w"]:
        """Logits at the decoder's stride, sides rounded up; at stride 1 they may reach past the image."""
        logits: Tensor = self.decoder(self.encoder(image))
        return logits

    def forward(self, image: Float[Tensor, "B I H W"]) -> Float[Tensor, "B K H W"]:
        height, width = image.shape[2:]
        logits = self.decode(image)
        if self.stride == 1:
            return logits[..., :height, :width]
        return upsample(logits, (height, width))
