"""The git revision of the user's folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from foveate.pipeline.runs.revision import find_revision


def git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_commit_and_whether_tracked_files_were_changed(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert find_revision(tmp_path) is None  # no commit yet
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-qm", "x")
    (tmp_path / "untracked").touch()
    found = find_revision(tmp_path)
    assert found is not None
    assert (found.commit, found.dirty) == (git(tmp_path, "rev-parse", "HEAD"), False)
    (tmp_path / "a").write_text("2")
    assert getattr(find_revision(tmp_path), "dirty", None) is True


def test_no_repository_and_no_git_are_no_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert find_revision(tmp_path) is None
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_revision(tmp_path) is None
