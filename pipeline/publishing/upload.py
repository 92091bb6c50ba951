"""Uploads a folder to the Hugging Face Hub, with errors in one line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from foveate.pipeline.errors import CheckpointError, ConfigError, MachineError
from foveate.pipeline.publishing.redaction import redact_text
from foveate.pipeline.text import first_line

REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def is_folder(target: str) -> bool:
    """Whether a target is a folder, and not a repository of the hub.

    Args:
        target: ./folder, /folder, ~/folder, or owner/name.

    Raises:
        ConfigError: It is neither.

    Example:
        >>> is_folder("./model"), is_folder("jane/segnext_t")
        (True, False)
    """
    if target.startswith((".", "/", "~")):
        return True
    if not REPOSITORY.fullmatch(target):
        raise ConfigError(f"{target!r} is no repository (owner/name); write a folder as ./{target.strip('/')}")
    return False


def upload(folder: Path, repository: str, *, private: bool = False, message: str | None = None) -> str:
    """Upload a folder as one commit, and return its address.

    Args:
        folder: What to upload.
        repository: owner/name; it is created if it does not exist.
        private: Create it private. The visibility of an existing one is not changed.
        message: Of the commit.

    Raises:
        ConfigError: There is no token, the hub is switched off, or the token may not write.
        MachineError: The hub cannot be reached.
    """
    from huggingface_hub import HfApi, constants, get_token

    if constants.HF_HUB_OFFLINE:
        raise ConfigError("the hub is switched off here (HF_HUB_OFFLINE): unset it, or push to a folder: ./name")
    token = get_token()
    if not token:
        raise ConfigError("no token of the Hugging Face Hub: run `hf auth login`, set HF_TOKEN, or push to ./folder")
    api = HfApi(token=token)
    with plain_errors(repository, ConfigError):
        api.create_repo(repository, private=private or None, exist_ok=True)
        done: Any = api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            repo_type="model",
            commit_message=message or "Model by foveate push",
        )
    return str(getattr(done, "commit_url", done))


@contextmanager
def plain_errors(repository: str, refused: Callable[[str], Exception]) -> Iterator[None]:
    """Turn errors of the hub into errors of one line, without secrets.

    Args:
        repository: What was asked for.
        refused: Makes the error for what the hub refuses.

    Raises:
        MachineError: The hub cannot be reached, or failed.
    """
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        yield
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        said = redact_text(first_line(error))
        if status in (401, 403):
            raise refused(f"{repository}: the token may not do this (HTTP {status}); see `hf auth whoami`") from error
        if status == 404:
            raise refused(f"{repository}: no such repository, or a private one and no token for it") from error
        raise MachineError(f"{repository}: the hub failed: {said}") from error
    except HFValidationError as error:
        raise refused(f"{repository}: {redact_text(first_line(error))}") from error
    except (CheckpointError, ConfigError):
        raise
    except Exception as error:  # connections fail with errors of several libraries
        if not _is_connection(error):
            raise
        raise MachineError(f"{repository}: the hub cannot be reached: {redact_text(first_line(error))}") from error


def _is_connection(error: BaseException) -> bool:
    modules = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return isinstance(error, OSError) or bool(modules & {"httpx", "httpcore", "requests", "urllib3"})
