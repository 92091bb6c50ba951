"""Sources of weights: a file, a URL, a repository of the Hugging Face hub, or timm."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.named_weights.download import download_file
from foveate.pipeline.named_weights.fetching import fetch
from foveate.pipeline.named_weights.table import WEIGHTS
from foveate.pipeline.text import first_line
from foveate.pipeline.weights.fitting import Target
from foveate.pipeline.weights.reading import WeightFile, read_weight_file
from foveate.pipeline.weights.recognition import part_of
from foveate.pipeline.weights.variants import name_of, shapes_of
from foveate.plugins.hints import did_you_mean

TIMM_NAMES = {  # our networks that timm has weights for
    "mobilenet_v2_050": "mobilenetv2_050",
    "mobilenet_v2_100": "mobilenetv2_100",
    "mobilenet_v2_140": "mobilenetv2_140",
    "vit_ti": "vit_tiny_patch16_224",
    "vit_s": "vit_small_patch16_224",
    "vit_b": "vit_base_patch16_224",
    "vit_l": "vit_large_patch16_224",
}
INSTEAD = "give a file instead: --model.weights PATH"


def open_source(source: str | Path) -> WeightFile:
    """Read the weights that `--model.weights` names.

    Args:
        source: PATH of a file or of a folder of `save_pretrained`, a name such as `mscan_t` (foveate weights list),
            `https://...`, `hf://owner/repository/file` (or `hf://owner/repository@revision/file`), or `timm:NAME`, such
            as `timm:mobilenetv2_100.ra_in1k`. A file may be followed by `::KEY`, the path of one of several state dicts
            in it, such as `::ema.module`.

    Raises:
        CheckpointError: The source does not exist, cannot be fetched, or is unsafe.
    """
    text, key = _split_key(str(source))
    if text.startswith("hf://"):
        return read_weight_file(fetch_from_hub(text), text, key)
    if text.startswith("timm:"):
        return fetch_from_timm(text.removeprefix("timm:"))
    if "://" in text:
        return read_weight_file(download(text), text, key)
    path = Path(text).expanduser()
    if not path.exists() and re.fullmatch(r"\w+", text):
        return _open_named(text, key)
    return read_weight_file(path, key=key)


def _open_named(name: str, key: str | None) -> WeightFile:
    """Weights of our table, by name."""
    if name not in WEIGHTS:
        hint = did_you_mean(name, WEIGHTS)
        raise CheckpointError(
            f"{name}: no such weights file, and no weights of that name{hint} (see: foveate weights list)"
        )
    found = read_weight_file(fetch(name), name, key)
    return replace(found, metadata={**found.metadata, **(WEIGHTS[name].metadata or {})})


def _split_key(source: str) -> tuple[str, str | None]:
    """Split FILE::KEY, unless a file of that whole name exists."""
    file, separator, key = source.rpartition("::")
    if not separator or not file or Path(source).expanduser().exists():
        return source, None
    if not key:
        raise CheckpointError(f"{source}: a KEY is missing after '::', such as {file}::ema")
    return file, key


def open_source_for(model: nn.Module, source: str | Path) -> WeightFile:
    """The same as `open_source`; the word `timm` stands for timm's weights of the model's encoder.

    Args:
        model: A segmenter, a classifier, or an encoder by itself.
        source: See `open_source`.

    Raises:
        CheckpointError: See `open_source`; or timm has no weights for this model.
    """
    if str(source) != "timm":
        return open_source(source)
    name = _own_timm_name(model)
    if name is None:
        tensors = Target.of(model).tensors
        name = name_of(shapes_of({name: t for name, t in tensors.items() if part_of(name) == "encoder"}))
    if name is None:
        raise CheckpointError(
            "weights 'timm': this model's encoder has no name in timm; write timm:NAME, or give a file"
        )
    return fetch_from_timm(timm_name(name))


def _own_timm_name(model: nn.Module) -> str | None:
    """`timm:NAME`, if timm built the model or its encoder."""
    names = (getattr(part, "timm_name", None) for part in (model, getattr(model, "encoder", None)))
    return next((name for name in names if isinstance(name, str)), None)


def download(url: str) -> Path:
    """Download the file at an https URL, or take it from the cache.

    Args:
        url: The URL.

    Raises:
        CheckpointError: The URL is not https, there is no connection or no such file, or the download was cut short.
    """
    if not url.startswith("https://"):
        raise CheckpointError(f"{url}: weights are fetched by https:// or hf:// only; {INSTEAD}")
    name = re.sub(r"[^\w.-]", "_", url.partition("?")[0].rpartition("/")[2]) or "weights"
    target = Path(torch.hub.get_dir()) / "checkpoints" / f"{hashlib.sha256(url.encode()).hexdigest()[:12]}-{name}"
    try:
        download_file(url, target)
    except CheckpointError as error:
        raise CheckpointError(f"{error}; {INSTEAD}") from error
    return target


def fetch_from_hub(address: str) -> Path:
    """Download a file of a repository on the Hugging Face hub, or take it from its cache.

    Args:
        address: hf://owner/repository/file, or hf://owner/repository@revision/file.

    Raises:
        CheckpointError: The address is incomplete, or the file cannot be fetched.
    """
    found = re.fullmatch(r"hf://([^/@]+/[^/@]+)(?:@([^/]+))?/(.+)", address)
    if not found:
        raise CheckpointError(f"{address}: write hf://owner/repository/file, or hf://owner/repository@revision/file")
    from huggingface_hub import hf_hub_download  # late: rarely needed

    repository, revision, name = found.groups()
    try:
        return Path(hf_hub_download(repository, name, revision=revision))
    except Exception as error:  # from huggingface_hub, requests or httpx, or OSError
        raise CheckpointError(f"{address}: cannot be fetched ({first_line(error)}); {INSTEAD}") from error


def timm_name(network: str) -> str:
    """timm's name of a network of ours.

    Args:
        network: Our name, or timm:NAME.

    Raises:
        CheckpointError: timm has no weights for it.
    """
    if network.startswith("timm:"):
        return network.removeprefix("timm:")
    if network not in TIMM_NAMES:
        raise CheckpointError(f"timm has no weights for {network}; it has for: {', '.join(TIMM_NAMES)}. Or {INSTEAD}")
    return TIMM_NAMES[network]


def fetch_from_timm(name: str) -> WeightFile:
    """timm's weights of one of its models, with the mean and standard deviation that they expect.

    Args:
        name: timm's name, such as `resnet18.a1_in1k`.

    Raises:
        CheckpointError: timm has no such model or no weights for it, or they cannot be fetched.
    """
    import timm  # late: the import takes a second

    try:
        model: Any = timm.create_model(name, pretrained=True)
    except Exception as error:  # RuntimeError for an unknown name, and any error of the connection
        raise CheckpointError(f"timm:{name}: cannot be fetched ({first_line(error)}); {INSTEAD}") from error
    settings = model.pretrained_cfg
    metadata = {key: json.dumps([255 * float(v) for v in settings[key]]) for key in ("mean", "std")}
    return WeightFile(f"timm:{name}", model.state_dict(), metadata)
