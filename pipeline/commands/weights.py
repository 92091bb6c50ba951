"""The command `foveate weights`: lists, fetches and describes weights, and exports those of a checkpoint."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

from foveate.pipeline.answering import answer
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.named_weights.fetching import cached_file, fetch
from foveate.pipeline.named_weights.table import WEIGHTS
from foveate.pipeline.runs.directories import RUNS
from foveate.pipeline.runs.finding import find_checkpoint
from foveate.plugins.hints import did_you_mean
from foveate.plugins.output import print_json

ExportLayout = Literal["foveate", "official", "mmseg", "timm", "torchvision"]
SHOWN = 80  # characters of a metadata entry that are printed


def show_weights(file: str, json: bool = False) -> None:
    """Describe a weights file: its network and layout as far as they are known, its parts and its metadata.

    Example: foveate weights show mscan_t.pth

    Args:
        file: PATH of a file or of a folder that save_pretrained wrote, a name (foveate weights list), https://...,
            hf://owner/repository/file, timm:NAME, or best or last (a checkpoint of the newest run in runs/). PATH::KEY
            selects one state dict.
        json: Print it as JSON.
    """
    from foveate.pipeline.weights.sources import open_source  # late: torch takes a second, and --help should not

    found = open_source(_checkpoint(file))
    floating = [tensor for tensor in found.state.values() if tensor.is_floating_point()]
    sizes: Counter[str] = Counter()
    for name, tensor in found.state.items():
        sizes[name.partition(".")[0]] += tensor.numel()
    if json:
        dtypes = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in found.state.values()})
        told = {"file": found.label, "tensors": len(found.state), "numbers": sum(t.numel() for t in floating)}
        contains = {path or ".": len(state) for path, state in found.states.items()}
        more = {"matches": _guess(found.state), "dtypes": dtypes, "parts": dict(sizes), "contains": contains}
        print_json({**told, **more, "metadata": dict(found.metadata)})
        return
    print(f"{found.label}: {len(found.state)} tensors, {sum(t.numel() for t in floating):,} numbers")
    print(f"  matches:   {_guess(found.state)}")
    if len(found.states) > 1:
        for path, state in found.states.items():
            mark = "  (described here)" if state is found.state else ""
            print(f"  contains:  {path or 'everything together'}, {len(state)} tensors{mark}")
    print(f"  dtypes:    {', '.join(sorted({str(t.dtype).removeprefix('torch.') for t in found.state.values()}))}")
    print(f"  parts:     {', '.join(f'{part} {size:,}' for part, size in sizes.most_common(8))}")
    for key, text in found.metadata.items():
        line = " ".join(text.split())
        print(f"  {key + ':':<11}{line if len(line) <= SHOWN else line[: SHOWN - 3] + '...'}")


def _guess(state: object) -> str:
    """The known encoder that fits the file best."""
    from foveate.pipeline.weights.variants import closest

    assert isinstance(state, dict)
    best = closest({name: tensor.shape for name, tensor in state.items()})
    if best is None:
        return "no known network"
    name, layout, share = best
    return f"{name if share > 0.999 else f'{share:.0%} of {name}'}, layout {layout}"


def export_checkpoint(checkpoint: str, out: str, layout: ExportLayout = "foveate", json: str | None = None) -> None:
    """Write the weights of a run's checkpoint as safetensors, with the parameter names of another library.

    Example: foveate weights export best segnext_t.safetensors --layout official

    Args:
        checkpoint: Checkpoint of a run; last and best are those of the newest run.
        out: File to write; ends with .safetensors.
        layout: Parameter names: foveate, official (the paper authors' code), mmseg, timm or torchvision.
        json: File for what was written, or - for standard output, also without a value.
    """
    from foveate.pipeline.weights.checkpoint import read_trained
    from foveate.pipeline.weights.export import export_weights

    def write() -> dict[str, object]:
        trained = read_trained(find_checkpoint(checkpoint, Path(RUNS), None))
        chosen = export_weights(trained, Path(out), layout)
        print(f"{out}: {trained.network}, {len(trained.classes)} classes, layout {chosen.name}")
        return {"file": out, "network": trained.network, "classes": list(trained.classes), "layout": chosen.name}

    answer(json, write)


def list_weights(json: bool = False) -> None:
    """List the weights that --model.weights takes by name: licence, checksum, where they are kept and come from.

    Example: foveate weights list

    Args:
        json: Print them as JSON.
    """
    folder = cached_file(next(iter(WEIGHTS))).parent
    if json:
        print_json({"weights": [_described(name) for name in WEIGHTS], "folder": str(folder)})
        return
    for name, one in WEIGHTS.items():
        known = f"SHA-256 {one.sha256}..." if one.sha256 else "unverified: no checksum is known here"
        print(f"{name:<18}{one.layout}; {one.trained_on}; {one.licence}; {known}")
        path = cached_file(name)
        print(f"{'':<18}  {path if path.is_file() else one.address}")
    print(f"\nkept in {folder} (FOVEATE_CACHE in the environment names another folder)")
    print("others: --model.weights FILE, https://..., hf://owner/repository/file, timm:NAME")


def _described(name: str) -> dict[str, object]:
    one, path = WEIGHTS[name], cached_file(name)
    origin = {"layout": one.layout, "trained_on": one.trained_on, "licence": one.licence, "address": one.address}
    return {"name": name, **origin, "sha256_begins": one.sha256 or None, "file": str(path), "fetched": path.is_file()}


def fetch_weights(name: str, json: bool = False) -> None:
    """Fetch weights by name into the cache, and print their path.

    Example: foveate weights fetch mscan_t

    Args:
        name: A name that foveate weights list shows.
        json: Print it as JSON.
    """
    if name not in WEIGHTS:
        raise ConfigError(f"no weights named {name!r}{did_you_mean(name, WEIGHTS)} (see: foveate weights list)")
    path = fetch(name)
    if json:
        print_json(_described(name))
    else:
        print(path)


def _checkpoint(given: str) -> str:
    """The path of a checkpoint; `best` and `last` are looked up in the newest run."""
    if given not in ("best", "last"):
        return given
    return str(find_checkpoint(given, Path(RUNS), None))


COMMANDS = {"list": list_weights, "fetch": fetch_weights, "show": show_weights, "export": export_checkpoint}
