"""The command `foveate push`: publishes a trained model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from foveate.pipeline.answering import answer
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
    dry_run: bool = False,
    json: str | None = None,
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
        dry_run: Only tell which files would be published, with their sizes, and show the model card.
        json: File for what was published, or - for standard output, also without a value.

    Raises:
        ConfigError: The target is none, or there is no token for the hub.
        MachineError: The files cannot be written.
    """
    from foveate.pipeline.publishing.upload import is_folder

    local = is_folder(target)
    if local and (private or message):
        raise ConfigError(f"--private and --message are for a repository (owner/name), and {target} is a folder")
    from foveate.pipeline.publishing.facts import gather  # late: torch takes a second

    def find() -> dict[str, Any]:
        facts = gather(Path(model).expanduser(), split_names(plugins))
        try:
            if dry_run:
                return _foresee(facts, target, licence)
            if local:
                return _write(facts, Path(target).expanduser(), licence)
            return _upload(facts, target, licence, private=private, message=message)
        except OSError as error:
            raise MachineError(f"{target}: cannot be written: {error}") from error

    answer(json, find)


def _foresee(facts: Any, target: str, licence: str | None) -> dict[str, Any]:
    """Tell what would be published."""
    from foveate.pipeline.publishing.bundle import write_bundle

    with TemporaryDirectory(prefix="foveate-push-") as temporary:
        files = {
            file.name: file.stat().st_size for file in write_bundle(facts, Path(temporary), target, licence=licence)
        }
        print((Path(temporary) / "README.md").read_text(encoding="utf-8"))
    print(*(f"{name}: {size:,} bytes" for name, size in files.items()), sep="\n")
    print(f"nothing was published; without --dry_run these go to {target}", flush=True)
    return {"target": target, "files": list(files), "commit": None}


def _write(facts: Any, folder: Path, licence: str | None) -> dict[str, Any]:
    """Publish in a folder."""
    from foveate.pipeline.publishing.bundle import write_bundle

    files = [file.name for file in write_bundle(facts, folder, _shown(folder), licence=licence)]
    print(f"{folder}: {', '.join(files)}", flush=True)
    return {"target": str(folder), "files": files, "commit": None}


def _upload(facts: Any, repository: str, licence: str | None, *, private: bool, message: str | None) -> dict[str, Any]:
    """Publish on the hub."""
    from foveate.pipeline.publishing.bundle import write_bundle
    from foveate.pipeline.publishing.upload import upload

    with TemporaryDirectory(prefix="foveate-push-") as temporary:
        files = [file.name for file in write_bundle(facts, Path(temporary), repository, licence=licence)]
        commit = upload(Path(temporary), repository, private=private, message=message)
    print(commit, flush=True)
    return {"target": repository, "files": files, "commit": commit}


def _shown(folder: Path) -> str:
    """How the model card names a folder: without where it lies."""
    return f"./{folder.resolve().name}"


def run(words: Sequence[str]) -> None:
    """Run `foveate push`.

    Args:
        words: The command line after it.
    """
    run_single("foveate push", push, words or ["--help"])
