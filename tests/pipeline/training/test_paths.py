"""What a command line names and is not there is told before torch is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("fit --config nope.yaml", 2, "nope.yaml"),
        ("fit --config camvid_segnext_t --data.root nope", 3, "nope: no such folder"),
        ("fit --config digits_vit_ti --model.weights nope.pth", 4, "nope.pth: no such weights file"),
        ("fit --config digits_vit_ti --plugins nope", 2, "--plugins nope: no such module"),
        ("fit --config digits_vit_ti --plugins ./nope.py", 2, "--plugins ./nope.py: there is no"),
        ("validate --ckpt_path nope.ckpt", 4, "nope.ckpt: no such checkpoint"),
        ("predict --config digits_vit_ti --data.images nope", 3, "nope: no such file or folder"),
    ],
)
def test_a_path_that_is_not_there_is_told_at_once(words: str, code: int, message: str) -> None:
    program = (
        f"import sys; from foveate.cli import main; code = main({words.split()!r}); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", f"{program}; sys.exit(code)"], capture_output=True, text=True)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (code, 1)
    assert message in done.stderr
