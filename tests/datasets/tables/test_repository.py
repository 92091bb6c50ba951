"""Data sets on the Hub, without a network: what is asked for, what is kept, and what is said when it fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import errors

from foveate.datasets.errors import DataError
from foveate.datasets.hub import HubDataModule
from foveate.datasets.tables.repository import find_source
from foveate.tests.datasets.tables.saved_tables import mask_table, write_parquet

COMMIT = "0123456789abcdef0123456789abcdef01234567"
Asked = list[dict[str, Any]]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """A Hub with one data set; holds what was asked of it."""
    folder, asked = tmp_path / "cache/snapshots" / COMMIT, []
    write_parquet(folder, {"train": mask_table("train", 5), "validation": mask_table("validation", 2)})

    def download(name: str, **options: Any) -> str:
        asked.append({"name": name, **options})
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.chdir(tmp_path)
    return asked


def test_only_data_is_asked_for_and_the_commit_is_kept(hub: Asked) -> None:
    data = HubDataModule("somebody/things")
    data.setup("fit")
    assert len(hub) == 1
    assert (hub[0]["name"], hub[0]["repo_type"], hub[0]["revision"]) == ("somebody/things", "dataset", None)
    assert not [pattern for pattern in hub[0]["allow_patterns"] if pattern.endswith((".py", ".pkl", "*"))]
    assert data.settled()["revision"] == COMMIT
    assert data.table.name == "things"
    HubDataModule("somebody/things", revision=COMMIT).setup("validate")
    assert hub[1]["revision"] == COMMIT


def test_a_folder_of_that_name_comes_first(hub: Asked, tmp_path: Path) -> None:
    (tmp_path / "somebody/things").mkdir(parents=True)
    assert find_source(Path("somebody/things"), None).commit == ""
    assert hub == []


class Answer:
    status_code, headers, request = 404, {}, None


def raised(kind: Callable[..., Exception]) -> Exception:
    return kind("no", response=Answer()) if issubclass(kind, errors.HfHubHTTPError) else kind("no route")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (errors.RepositoryNotFoundError, "neither a folder nor a data set on the Hugging Face Hub"),
        (errors.GatedRepoError, "accept their terms.*HF_TOKEN"),
        (errors.RevisionNotFoundError, "no revision 'v9'"),
        (errors.LocalEntryNotFoundError, "cannot be reached .*without a network, give --data.root the folder"),
        (ConnectionError, r"cannot be reached \(ConnectionError: no route\)"),
    ],
)
def test_a_failed_download_says_why(
    kind: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(name: str, **options: Any) -> str:
        raise raised(kind)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=message):
        find_source(Path("somebody/things"), "v9")


def test_a_repository_without_tables_or_images_names_the_converted_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **options: str(tmp_path / "empty"))
    with pytest.raises(DataError, match=r"--data.revision refs/convert/parquet"):
        find_source(Path("somebody/scripted"), None)


def test_what_is_neither_folder_nor_name_is_not_asked_for(hub: Asked) -> None:
    with pytest.raises(DataError, match=r"no such folder .*named OWNER/NAME"):
        find_source(Path("/data/nowhere/at/all"), None)
    assert hub == []
