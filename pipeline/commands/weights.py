"""`foveate weights`: what is in a file of weights, and weights of ours for others."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

from foveate.pipeline.runs.directories import RUNS, find_checkpoint

ExportLayout = Literal["foveate", "official", "mmseg", "timm", "torchvision"]
SHOWN = 80  # characters of a metadata entry


def show_weights(file: str) -> None:
    """Say what a file of weights holds: its network and layout as far as they are known, its parts, its metadata.

    Example: foveate weights show mscan_t.pth

    Args:
        file: PATH, https://..., hf://owner/repository/file, or timm:NAME.
    """
    from foveate.pipeline.weights.sources import open_source  # late: torch takes a second, and help none

    found = open_source(file)
    floating = [tensor for tensor in found.state.values() if tensor.is_floating_point()]
    sizes: Counter[str] = Counter()
    for name, tensor in found.state.items():
        sizes[name.partition(".")[0]] += tensor.numel()
    print(f"{found.label}: {len(found.state)} tensors, {sum(t.numel() for t in floating):,} numbers")
    print(f"  is:        {_guess(found.state)}")
    print(f"  stored as: {', '.join(sorted({str(t.dtype).removeprefix('torch.') for t in found.state.values()}))}")
    print(f"  parts:     {', '.join(f'{part} {size:,}' for part, size in sizes.most_common(8))}")
    for key, text in found.metadata.items():
        print(f"  {key + ':':<11}{text if len(text) <= SHOWN else text[: SHOWN - 3] + '...'}")


def _guess(state: object) -> str:
    """The named encoder it fits best."""
    from foveate.pipeline.weights.variants import closest

    assert isinstance(state, dict)
    best = closest({name: tensor.shape for name, tensor in state.items()})
    if best is None:
        return "of no network that has a name here"
    name, layout, share = best
    return f"{name if share > 0.999 else f'{share:.0%} of {name}'}, layout {layout}"


def export_checkpoint(checkpoint: str, out: str, layout: ExportLayout = "foveate") -> None:
    """Write the weights of a run's checkpoint as safetensors, by the names that others read.

    Example: foveate weights export runs/latest/checkpoints/best.ckpt segnext_t.safetensors --layout official

    Args:
        checkpoint: Checkpoint of a run; last and best mean the newest run's.
        out: File to write; ends with .safetensors.
        layout: Whose names: foveate, official (the authors'), mmseg, timm or torchvision.
    """
    from foveate.pipeline.weights.checkpoint import read_trained
    from foveate.pipeline.weights.export import export_weights

    trained = read_trained(find_checkpoint(checkpoint, Path(RUNS), None))
    chosen = export_weights(trained, Path(out), layout)
    print(f"{out}: {trained.network}, {len(trained.classes)} classes, layout {chosen.name}")


WEIGHTS = {"show": show_weights, "export": export_checkpoint}
