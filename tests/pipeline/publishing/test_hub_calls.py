"""The calls of the hub, with a stand-in for it; nothing here asks the network."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import httpx
import huggingface_hub
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from foveate.cli import main

TOKEN = "hf_canaryCANARYcanaryCANARYcanary1"


class Hub:
    """A hub that keeps repositories as folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.fails: Exception | None = None

    def api(self, token: str) -> Hub:
        assert token == TOKEN
        return self

    def create_repo(self, repository: str, **options: Any) -> None:
        self.calls.append((repository, options))
        if self.fails:
            raise self.fails

    def upload_folder(self, *, repo_id: str, folder_path: Path, **options: Any) -> str:
        self.calls.append((repo_id, options))
        shutil.copytree(folder_path, self.folder / repo_id, dirs_exist_ok=True)
        return f"https://huggingface.co/{repo_id}/commit/1"

    def download(self, repository: str, *, local_dir: Path, allow_patterns: list[str], **options: Any) -> str:
        if self.fails:
            raise self.fails
        for name in allow_patterns:
            local_dir.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.folder / repository / name, local_dir / name)
        return str(local_dir)


def http_error(status: int, kind: type[HfHubHTTPError] = HfHubHTTPError) -> HfHubHTTPError:
    request = httpx.Request("POST", "https://huggingface.co/api/repos/create")
    return kind(f"refused, token {TOKEN}", response=httpx.Response(status, request=request))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    made = Hub(tmp_path / "hub")
    monkeypatch.setattr(huggingface_hub, "HfApi", made.api)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", made.download)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: TOKEN)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.chdir(tmp_path)
    return made


def test_a_model_goes_to_the_hub_and_comes_back(run: Path, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", str(run), "jane/camvid", "--private", "--message", "First"]) == 0
    assert capsys.readouterr().out == "https://huggingface.co/jane/camvid/commit/1\n"
    assert hub.calls == [
        ("jane/camvid", {"private": True, "exist_ok": True}),
        ("jane/camvid", {"repo_type": "model", "commit_message": "First"}),
    ]
    assert 'foveate.load("jane/camvid")' in (hub.folder / "jane/camvid/README.md").read_text()
    assert main(["pull", "jane/camvid"]) == 0
    assert "camvid: mobilenet_v2_035+light_ham, 11 classes, files verified" in capsys.readouterr().out
    assert Path("camvid/model.safetensors").is_file()


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (http_error(401), 2, "jane/camvid: the token may not do this (HTTP 401)"),
        (http_error(403), 2, "jane/camvid: the token may not do this (HTTP 403)"),
        (http_error(500), 138, "jane/camvid: the hub failed"),
        (httpx.ConnectError("no route"), 138, "jane/camvid: the hub cannot be reached: ConnectError: no route"),
        (ConnectionResetError("reset"), 138, "jane/camvid: the hub cannot be reached"),
    ],
)
def test_what_the_hub_refuses_is_one_line_without_the_token(
    error: Exception, code: int, message: str, run: Path, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.fails = error
    assert main(["push", str(run), "jane/camvid"]) == code
    said = capsys.readouterr()
    assert message in said.err.splitlines()[-1]
    assert TOKEN not in said.out + said.err


def test_a_repository_that_does_not_exist_is_told(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.fails = http_error(404, RepositoryNotFoundError)
    assert main(["pull", "jane/nothing"]) == 4
    assert "jane/nothing: no such repository, or a private one and no token for it" in capsys.readouterr().err


def test_without_a_token_nothing_is_sent(
    run: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    assert main(["push", str(run), "jane/camvid"]) == 2
    assert "no token of the Hugging Face Hub: run `hf auth login`" in capsys.readouterr().err
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert main(["push", str(run), "jane/camvid"]) == 2
    assert "HF_HUB_OFFLINE" in capsys.readouterr().err
    assert hub.calls == []
