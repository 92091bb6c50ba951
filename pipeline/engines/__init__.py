"""Ways to run a trained network: as it is, folded, compiled, or by another runtime.

`create_engine` is what to call; it imports torch and whatever the engine needs when it is called.
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
    """Make a trained network ready to be run many times.

    Args:
        network: A segmenter or classifier; it is put into evaluation and otherwise left alone. Weights that change
            later are not seen by a folded, compiled or converted copy: make a new engine.
        image: Normalised images (B, C, H, W) as they will come; other sizes work too.
        engine: `torch` (the network as it is), `folded` (norms, scales and activations inside the convolutions),
            `compile` (that through torch's compiler), `openvino`, or `auto`: the fastest of those that can run here
            and that give the same logits. For a few images, `auto` leaves out what takes longer to prepare than it
            can save.
        precision: float32, or bfloat16 where the arithmetic bears it; autocast around the call has no influence.
        calls: How many times the engine will run, as far as is known; None stands for many.

    Raises:
        ConfigError: There is no such engine or precision, or it cannot run here or with this network.

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
    """Refuse what is not there.

    Raises:
        ConfigError: There is no such engine.
    """
    if name not in NAMES:
        raise ConfigError(f"no engine {name!r}{did_you_mean(name, NAMES)} (accepted: {', '.join(NAMES)})")
