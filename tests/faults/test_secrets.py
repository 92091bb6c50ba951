"""Keys and tokens of the environment are in nothing that a training writes or prints."""

from __future__ import annotations

import gzip
import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from foveate.tests.faults.conftest import Range, finish, start
from foveate.tests.faults.test_wandb import WANDB, around, no_account, records

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures(no_account.__name__)]
KEY = "c0ffee" + "0123456789abcdef" * 2 + "ab"  # of a W&B key's form
CANARIES = {
    "WANDB_API_KEY": KEY,
    "HF_TOKEN": "hf_canaryCANARYcanaryCANARYcanary1",
    "AWS_SECRET_ACCESS_KEY": "canaryAWSsecret0123456789",
}
PASSWORD = "ghp_canaryofagitremote"


def contents(path: Path) -> bytes:
    """A file's bytes; those of its members if it is an archive, as checkpoints are."""
    data = path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return data + b"".join(archive.read(name) for name in archive.namelist())
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


@pytest.mark.parametrize("mode", ["offline", "unreachable", "fails"])
def test_no_secret_is_written_or_printed(mode: str, range_: Range) -> None:
    remote = f"https://user:{PASSWORD}@example.invalid/x.git"
    for words in (["init", "-q"], ["remote", "add", "origin", remote], ["add", "data"]):
        subprocess.run(["git", "-C", range_.folder, *words], check=True)
    named = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", range_.folder, *named, "commit", "-qm", "x"], check=True)
    before = {path for path in range_.folder.rglob("*") if path.is_file()}
    more = {"WANDB_MODE": "offline"} if mode != "unreachable" else {"WANDB_BASE_URL": "http://127.0.0.1:9"}
    planted = ["--model.optimizer.lr=1e30", "--model.schedule.warmup_steps=0"] if mode == "fails" else []
    words = range_.words(*WANDB, "--trainer.logger.log_model=true", *planted)
    process = start(range_.folder, [*words, "--pictures.count=1"], **around(range_, **CANARIES, **more))
    code, output = finish(process, 120)
    assert code == (6 if mode == "fails" else 0), output
    written = [path for path in range_.folder.rglob("*") if path.is_file() and path not in before]
    assert {"recipe.yaml", "metrics.csv", "last.ckpt"} - {"last.ckpt" if mode == "fails" else ""} <= {
        path.name for path in written
    }
    assert any(path.suffix == ".wandb" for path in written)
    read_back = json.dumps(records(range_.run))
    assert "tiny.py" in read_back
    for secret in (*CANARIES.values(), PASSWORD):
        assert secret not in output
        assert secret not in read_back
        assert [path for path in written if secret.encode() in contents(path)] == []
