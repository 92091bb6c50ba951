"""Inference engines for a trained network: plain PyTorch, folded, compiled, or OpenVINO.

Call `create_engine`; it imports torch and what the engine needs only when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from foveate.pipeline.errors import ConfigError
from foveate.plugins.hints import did_you_mean

if TYPE_CHECKING:
    from torch import Tensor, nn

    from foveate.pipeline.engines.engine import Engine, Precision

ENGINES = ("torch", "folded", "compile", "openvino")
NAMES = (*ENGINES, "auto")


def create_engine(
    network: nn.Module,
    image: Tensor,
    *,
    engine: str = "auto",
    precision: Precision = "float32",
    calls: int | None = None,
) -> Engine:
    """Prepare a trained network for many calls.

    Args:
        network: A segmenter or classifier; it is put into evaluation mode and not changed otherwise. The folded,
            compiled and converted engines copy its weights: create a new engine after the weights change.
        image: Normalised images (B, C, H, W) of the size that will be used most; other sizes work too.
        engine: `torch` (the network as it is), `folded` (norms, scales and activations folded into the convolutions),
            `compile` (the folded network through torch.compile), `openvino`, or `auto`: the fastest of those that
            run on this machine and give the same logits. For few images, `auto` leaves out engines whose
            preparation takes longer than the time they save.
        precision: float32, or bfloat16 in the operators that allow it; autocast around the call has no effect.
        calls: Expected number of calls; None means many.

    Raises:
        ConfigError: The engine or precision does not exist, or cannot run on this machine or with this network.

    Example:
        >>> import torch
        >>> from foveate.pipeline.models import create_model
        >>> image = torch.rand(1, 3, 32, 32)
        >>> engine = create_engine(create_model("mobilenet_v2_035", num_classes=5), image, engine="folded")
        >>> engine.name, tuple(engine(image).shape)
        ('folded', (1, 5))
    """
    from foveate.pipeline.engines.engine import check_precision
    from foveate.plugins.ops.precision import without_autocast

    check_engine(engine)
    check_precision(precision)
    with without_autocast(image.device):
        if engine == "auto":
            from foveate.pipeline.engines.auto import choose_engine

            return choose_engine(network, image, precision, calls)
        from foveate.pipeline.engines.build import build_engine

        return build_engine(network, image, engine, precision)


def check_engine(name: str) -> None:
    """Check that an engine exists.

    Raises:
        ConfigError: There is no such engine.
    """
    if name not in NAMES:
        raise ConfigError(f"no engine {name!r}{did_you_mean(name, NAMES)} (accepted: {', '.join(NAMES)})")
