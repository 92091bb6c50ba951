"""Trained models on the Hugging Face hub or in a folder: weights, and a config.json that holds names and no code.

Example:
    push_to_hub("runs/latest/checkpoints/best.ckpt", "me/segnext_t_camvid")
    model = from_pretrained("me/segnext_t_camvid")
    logits = model(image)  # uint8 (B, 3, H, W)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import PyTorchModelHubMixin, hf_hub_download
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.models import create_model
from foveate.pipeline.normalisation import MEAN, STD, Normalise
from foveate.pipeline.provenance import KEY as PROVIDERS
from foveate.pipeline.provenance import check_providers
from foveate.pipeline.task_options import plain
from foveate.pipeline.text import first_line
from foveate.pipeline.weights.checkpoint import Trained, read_trained
from foveate.pipeline.weights.reading import read_state_dict
from foveate.plugins.errors import PluginError

WEIGHTS_FILE, CONFIG_FILE = "model.safetensors", "config.json"
FETCHING = ("revision", "cache_dir", "force_download", "local_files_only", "token")  # options of a download
UNUSED = ("map_location", "strict", "proxies", "resume_download")  # of the mixin; the last two before version 1


class HubModel(nn.Module, PyTorchModelHubMixin, library_name="foveate", tags=["foveate"]):  # type: ignore[misc,call-arg,unused-ignore]
    """A model that takes images as bytes; its arguments are saved in config.json, from which it is rebuilt.

    Args:
        network: Name of the model (foveate models list).
        classes: Names of the classes.
        attention: Blocks in the model's slots, by name.
        network_options: Other options of the model.
        mean: Mean of the images it was trained on, per channel in 0-255.
        std: Standard deviation of those images, likewise.
        evaluation: How images are read and evaluated: `labels` (the whole label set), `inference`, and `images`
            (arguments of `ImagesDataModule`); see `Trained`. Files without it are of an earlier version.

    Raises:
        ConfigError: The network or an option is unknown.
        PluginError: A block is of a plugin that is not installed.
    """

    def __init__(
        self,
        network: str,
        classes: Sequence[str],
        attention: dict[str, Any] | None = None,
        network_options: dict[str, Any] | None = None,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
        evaluation: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.evaluation = dict(evaluation or {})
        self.network_name, self.network_options = network, dict(network_options or {})
        self.attention = attention
        self.classes = tuple(classes)
        self.normalise = Normalise(mean, std)
        self.network = create_model(network, num_classes=len(classes), attention=attention, **(network_options or {}))

    def forward(self, image: UInt8[Tensor, "B C H W"]) -> Float[Tensor, "B K ..."]:
        """Logits of RGB images in bytes: (B, K) from a classifier, (B, K, H, W) from a segmenter."""
        logits: Tensor = self.network(self.normalise(image))
        return logits

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **options: Any) -> HubModel:
        """Build the model and load all its tensors; the mixin calls this once it has read the configuration.

        The mixin's own method would ignore missing tensors.
        """
        fetching = {key: options.pop(key, None) for key in FETCHING}
        for key in UNUSED:
            options.pop(key, None)
        model = cls(**options)
        file = Path(model_id) / WEIGHTS_FILE
        if not Path(model_id).is_dir():
            file = Path(hf_hub_download(model_id, WEIGHTS_FILE, **fetching))
        model.load_state_dict(read_state_dict(file))
        return model


def model_of(source: Trained | str | Path) -> HubModel:
    """The model of a run's checkpoint, in evaluation mode.

    Args:
        source: The checkpoint, or what was read from it.

    Raises:
        CheckpointError: The checkpoint is damaged or unsafe, or its weights do not fit the network that it names.
    """
    trained = source if isinstance(source, Trained) else read_trained(Path(source))
    mean, std = (list(values) for values in trained.statistics)
    model = HubModel(
        network=trained.network,
        classes=list(trained.classes),
        attention=None if trained.attention is None else dict(trained.attention),
        network_options=dict(trained.options),
        mean=mean,
        std=std,
        evaluation=plain(trained.evaluation),
    )
    try:
        model.network.load_state_dict(dict(trained.state))
    except RuntimeError as error:
        raise CheckpointError(f"{source}: its weights do not fit its network, {trained.network}") from error
    return model.eval()


def save_pretrained(source: HubModel | str | Path, folder: str | Path) -> None:
    """Write config.json, model.safetensors and a model card into a folder.

    Args:
        source: A model, or a run's checkpoint.
        folder: Created if it does not exist.
    """
    _as_model(source).save_pretrained(folder)


def push_to_hub(source: HubModel | str | Path, repository: str, **options: Any) -> str:
    """Upload a model to the hub, and return its URL.

    Args:
        source: A model, or a run's checkpoint.
        repository: owner/name; it is created if it does not exist.
        options: Options of `huggingface_hub`, such as `private=True` or `commit_message`.
    """
    return str(_as_model(source).push_to_hub(repository, **options))


def from_pretrained(source: str | Path, **options: Any) -> HubModel:
    """A model from the hub (owner/name) or from a folder, in evaluation mode.

    It is built from the names in config.json; no code in the files is run.

    Args:
        source: Repository or folder.
        options: Options of `huggingface_hub`, such as `revision`.

    Raises:
        CheckpointError: It cannot be fetched, or its files are incomplete, damaged, or do not fit one another.
        ConfigError: It names a network that is unknown here.
        PluginError: It needs a plugin that is not installed.
    """
    try:
        model: HubModel = HubModel.from_pretrained(source, **options)
    except PluginError:
        check_providers({PROVIDERS: _providers(source, options)})  # its message says what to install
        raise
    except (OSError, ValueError, TypeError, RuntimeError) as error:  # and those of huggingface_hub, safetensors
        raise CheckpointError(f"{source}: no foveate model can be loaded from it ({first_line(error)})") from error
    return model.eval()


def _providers(source: str | Path, options: Mapping[str, Any]) -> Any:
    """Distribution and version of each plugin part, from config.json; empty if it was written without."""
    fetching = {key: options[key] for key in FETCHING if key in options}
    try:
        folder = Path(source)
        file = folder / CONFIG_FILE if folder.is_dir() else Path(hf_hub_download(str(source), CONFIG_FILE, **fetching))
        return json.loads(file.read_text(encoding="utf-8"))["foveate"]["plugins"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _as_model(source: HubModel | str | Path) -> HubModel:
    return source if isinstance(source, HubModel) else model_of(source)
