"""The command `foveate push`: publishes a trained model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from foveate.pipeline.command_line import run_single
from foveate.pipeline.errors import ConfigError, MachineError
from foveate.plugins.selection import split_names


def push(
    model: str,
    target: str,
    private: bool = False,
    licence: str | None = None,
    message: str | None = None,
    plugins: str = "",
) -> None:
    """Publish a trained model: weights (safetensors), config.json, the recipe, and a model card from the run.

    The card tells the data, the recipe, the scores with their intervals, how exported files agree, the plugins, and
    how the model is used. Loggers, callbacks, secrets and local paths of the recipe are left out.

    Example: foveate push runs/latest jane/segnext_t_camvid --licence apache-2.0

    Args:
        model: A checkpoint, or a run directory, whose best checkpoint is taken.
        target: owner/name on the Hugging Face Hub, or a folder, such as ./segnext_t_camvid.
        private: Create a private repository; for the hub.
        licence: Such as apache-2.0 or cc-by-4.0; the card says that none is stated if not given.
        message: Of the commit; for the hub.
        plugins: Comma-separated modules, or files of this folder, that the model needs besides installed plugins.

    Raises:
        ConfigError: The target is none, or there is no token for the hub.
        MachineError: The files cannot be written.
    """
    from tempfile import TemporaryDirectory

    from foveate.pipeline.publishing.upload import is_folder, upload

    local = is_folder(target)
    if local and (private or message):
        raise ConfigError(f"--private and --message are for a repository (owner/name), and {target} is a folder")
    from foveate.pipeline.publishing.bundle import write_bundle  # late: torch takes a second
    from foveate.pipeline.publishing.facts import gather

    facts = gather(Path(model).expanduser(), split_names(plugins))
    try:
        if local:
            folder = Path(target).expanduser()
            files = write_bundle(facts, folder, _shown(folder), licence=licence)
            print(f"{folder}: {', '.join(file.name for file in files)}", flush=True)
            return
        with TemporaryDirectory(prefix="foveate-push-") as temporary:
            write_bundle(facts, Path(temporary), target, licence=licence)
            print(upload(Path(temporary), target, private=private, message=message), flush=True)
    except OSError as error:
        raise MachineError(f"{target}: cannot be written: {error}") from error


def _shown(folder: Path) -> str:
    """How the model card names a folder: without where it lies."""
    return f"./{folder.resolve().name}"


def run(words: Sequence[str]) -> None:
    """Run `foveate push`.

    Args:
        words: The command line after it.
    """
    run_single("foveate push", push, words or ["--help"])
