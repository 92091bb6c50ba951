"""SimAM, attention without parameters."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from foveate.plugins.ops.precision import exact_dtype


class SimpleAttention(nn.Module):
    """Multiply each value by a sigmoid of its squared distance from the channel mean; there are no parameters.

    The squares are computed in float32: in float16 a value of 256 would overflow.

    Args:
        channels: Number of channels C; not used, since no parameter depends on it.
        regularisation: The paper's lambda, added to the variance; positive.

    Raises:
        ValueError: The regularisation is not positive.

    Source:
        Yang et al. 2021, SimAM, section 3.3, the closed form of the minimal energy (ICML 2021).
        A feature map of one position has variance 0; its values are multiplied by sigmoid(0.5).
    """

    def __init__(self, channels: int, *, regularisation: float = 1e-4) -> None:
        super().__init__()
        del channels
        if regularisation <= 0:
            raise ValueError(f"simam: regularisation is positive, not {regularisation}")
        self.regularisation = regularisation

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return x * self._weights(x)

    def _weights(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        exact = x.to(exact_dtype(x.dtype))
        squares = (exact - exact.mean((2, 3), keepdim=True)).square()
        others = max(x.shape[2] * x.shape[3] - 1, 1)
        variance = squares.sum((2, 3), keepdim=True) / others
        importance = squares / (4 * (variance + self.regularisation)) + 0.5
        return importance.sigmoid().to(x.dtype)

    def maps(self, x: Float[Tensor, "B C H W"]) -> dict[str, Tensor]:
        """The gate, for `foveate explain` (see `Explainable`)."""
        return {"position weights": self._weights(x)}

    def extra_repr(self) -> str:
        return f"regularisation={self.regularisation}"
