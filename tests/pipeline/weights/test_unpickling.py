"""Nothing that a pickle names is ever imported or called, whatever it is wrapped in."""

from __future__ import annotations

import functools
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.weights import read_state_dict


class Trap:
    """Calls something when it is unpickled."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


TRAPS: dict[str, Callable[[Path], Trap]] = {
    "os": lambda marker: Trap(os.mkdir, str(marker)),
    "builtins": lambda marker: Trap(eval, f"__import__('os').mkdir({str(marker)!r})"),
    "subprocess": lambda marker: Trap(subprocess.Popen, ["mkdir", str(marker)]),
    "partial": lambda marker: Trap(functools.partial, os.mkdir),
    "torch": lambda marker: Trap(torch.hub.load, "a/b", "c"),
    "getattr": lambda marker: Trap(getattr, "abc", "upper"),
    "pickle": lambda marker: Trap(pickle.loads, b"N."),
}
SAVE: dict[str, Callable[[object, Path], object]] = {
    "zip": torch.save,
    "before 1.6": lambda o, p: torch.save(o, p, _use_new_zipfile_serialization=False),
    "protocol 0": lambda o, p: p.write_bytes(pickle.dumps(o, 0)),
    "protocol 5": lambda o, p: p.write_bytes(pickle.dumps(o, 5)),
}


@pytest.mark.parametrize("forced", ["0", "1"])
@pytest.mark.parametrize("save", SAVE.values(), ids=SAVE)
@pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS)
def test_a_call_is_refused_and_not_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trap: Callable[[Path], Trap],
    save: Callable[[object, Path], object],
    forced: str,
) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", forced)
    save({"state_dict": {"a": 1}, "beside": trap(tmp_path / "sprung")}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="refused, since reading it would run code: it asks for ") as caught:
        read_state_dict(tmp_path / "a.pth")
    assert not (tmp_path / "sprung").exists()
    assert "\n" not in str(caught.value)


def test_a_class_of_somebody_is_not_imported(tmp_path: Path, restore_modules: None) -> None:
    (tmp_path / "made_up_trainer.py").write_text(
        "import pathlib\npathlib.Path(__file__).with_name('ran').touch()\nclass Config:\n    lr = 1\n"
    )
    pickled = b"\x80\x02cmade_up_trainer\nConfig\nq\x00)\x81q\x01}q\x02X\x02\x00\x00\x00lrq\x03K\x01sb."
    content = pickle.dumps({"w": __import__("numpy").ones(3)}, 2)
    inner = content[2:-1].rstrip()
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02(" + inner + pickled[2:-1] + b"t.")
    sys.path.insert(0, str(tmp_path))
    try:
        with pytest.raises(CheckpointError, match="a mapping of names to tensors, not a tuple"):
            read_state_dict(tmp_path / "a.pkl")
    finally:
        sys.path.remove(str(tmp_path))
    assert not (tmp_path / "ran").exists()
    assert "made_up_trainer" not in sys.modules


def test_a_storage_larger_than_the_file_is_damage(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(3)}, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    content = (tmp_path / "a.pth").read_bytes()
    assert content.count(b"K\x03N") == 1  # the number of elements
    (tmp_path / "a.pth").write_bytes(content.replace(b"K\x03N", b"J\xff\xff\xff\x7fN"))
    with pytest.raises(CheckpointError, match="not a readable weights file"):
        read_state_dict(tmp_path / "a.pth")
