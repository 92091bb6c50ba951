"""Configs are read as mmengine reads them, and nothing in them is run."""

from __future__ import annotations

import ast
import builtins
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.mmseg import config_file
from foveate.pipeline.mmseg.config_file import read_config
from foveate.tests.conftest import ROOT


def read(folder: Path, **files: str) -> Any:
    """The content of the last of some files."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return read_config(folder / f"{name}.py").plain()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a = 2 * (3 + 4) - 1 // 2", 14),
        ("a = -1e-4", -1e-4),
        ("b = [1, 2]\na = (*b, 3)", [1, 2, 3]),
        ("b = dict(x=1)\na = dict(b, y=2, **{'z': 3})", {"x": 1, "y": 2, "z": 3}),
        ("b = [8, 9]\na = b[1]", 9),
        ("b = [8, 9, 10]\na = b[:2] + b[-1:]", [8, 9, 10]),
        ("b = dict(x=5)\na = b['x']", 5),
        ("a = [dict(scale=s) for s in (0.5, 1)]", [{"scale": 0.5}, {"scale": 1}]),
        ("n = 3\na = f'resnet{n}'", "resnet3"),
        ("a = b = None", None),
        ("a = {1: 'x', 'y': True}", {"1": "x", "y": True}),
        ("a = sum([1, 2, 3])", 6),
        ("'''About this config.'''\na = '{{ fileBasename }}'", "it.py"),
    ],
)
def test_expressions(tmp_path: Path, text: str, value: Any) -> None:
    assert read(tmp_path, it=text)["a"] == value


def test_a_config_says_what_differs_from_its_base(tmp_path: Path) -> None:
    base = "model = dict(type='A', depth=50, norm=dict(type='BN', eps=1))\nlr = 1"
    top = "_base_ = ['base.py']\nmodel = dict(depth=18, norm=dict(_delete_=True, type='LN'))"
    assert read(tmp_path, base=base, top=top) == {
        "model": {"type": "A", "depth": 18, "norm": {"type": "LN"}},
        "lr": 1,
    }


@pytest.mark.parametrize("reference", ["{{_base_.crop}}", "'{{_base_.crop}}'", "_base_.crop"])
def test_what_a_base_gives_can_be_referred_to(tmp_path: Path, reference: str) -> None:
    top = f"_base_ = 'base.py'\nsize = dict(crop={reference})"
    assert read(tmp_path, base="crop = (512, 256)", top=top)["size"] == {"crop": [512, 256]}


def test_values_keep_the_line_that_they_come_from(tmp_path: Path) -> None:
    read(tmp_path, base="model = dict(\n    a=1,\n    b=2)", top="_base_ = 'base.py'\n\nmodel = dict(b=3)")
    model = read_config(tmp_path / "top.py").at("model")
    assert model is not None
    assert [(one.place.file.name, one.place.line) for one in model.held()] == [("base.py", 2), ("top.py", 3)]


HOSTILE = {
    "import os\nos.system('touch ran')": "`import os` is not run",
    "a = __import__('os').system('touch ran')": r"`__import__\('os'\).system\('touch ran'\)` is not evaluated",
    "a = open('/etc/passwd').read()": "is not evaluated",
    "exec('import os')": r"`exec\('import os'\)` is not run",
    "a = eval('1')": "is not evaluated",
    "a = [].__class__.__base__.__subclasses__()": "is not evaluated",
    "dict = open\na = dict('ran', 'w')": "open is not assigned above",
    "sum = 3\na = sum([1])": "is not evaluated",
    "def f():\n    pass": "is not run",
    "class A:\n    pass": "is not run",
    "a = lambda: 1": "is not evaluated",
    "a = 1 if 2 else 3": "is not evaluated",
    "a = [x for x in [1] if x]": "is not evaluated",
    "a = (b := 3)": "is not evaluated",
    "for i in [1]:\n    a = i": "is not run",
    "while True:\n    pass": "is not run",
    "a = 9 ** 9 ** 9": "is not evaluated",
    "a = [0] * 10 ** 8": "is not evaluated",
    "a = 'x' * 100000": "is not evaluated",
    "a = '%1000000000d' % 1": "is not evaluated",
    "a = f'{1:1000000000d}'": "is not evaluated",
    "a = 1 / 0": "division by zero",
    "a = 1 + 'x'": "is not evaluated",
    "a = b": "b is not assigned above",
    "a.b = 1": "is not run",
    "a = 1\na += 1": "is not run",
    "a = 1j": "is not evaluated",
    "a = b'bytes'": "is not evaluated",
    "with read_base():\n    from x import *": "a config of the new style",
    "from mmengine.config import read_base": "a config of the new style",
    "_base_ = 'mmdet::x.py'": "the path of a config",
    "_base_ = 3": "the path of a config",
    "_base_ = '/etc/passwd'": "configs of mmseg are .py files",
    "_base_ = 'it.py'": "_base_ leads back to it.py",
    "_base_ = 'gone.py'": "no such file",
    "a = {{_base_.x}}": r"_base_.x: the _base_ files do not give it",
    "a = (": "not readable as Python",
    "a = '\0'": "not readable as Python",
}


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:30])
def test_a_config_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=HOSTILE[text]) as caught:
        read(tmp_path, it=text)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["it.py"]


CHECKERS = ("beartype", "jaxtyping", "typing")  # of annotations


def unless_a_checker(call: Any) -> Any:
    """Fails the test, except for the packages that check annotations, of which older ones run code at each call."""

    def guarded(*given: Any, **named: Any) -> Any:
        caller = sys._getframe(1).f_globals.get("__name__", "").partition(".")[0]
        return call(*given, **named) if caller in CHECKERS else pytest.fail(f"{caller} runs code")

    return guarded


def test_nothing_that_runs_code_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read(tmp_path, it="a = 1")  # imports what is imported when it is first needed
    parsed = []
    parse = ast.parse
    monkeypatch.setattr(config_file.ast, "parse", lambda text: parsed.append(text) or parse(text))
    for name in ("exec", "eval"):
        monkeypatch.setattr(f"builtins.{name}", unless_a_checker(getattr(builtins, name)))
    assert read(tmp_path, it="a = dict(b=1)") == {"a": {"b": 1}}
    assert parsed == ["a = dict(b=1)"]


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 3000 + "]" * 3000,
        "a = " + "-" * 50_000 + "1",
        "a = " + "dict(x=" * 90 + "1" + ")" * 90,
        "a = " + "+".join(["1"] * 20_000),
    ],
    ids=["brackets", "signs", "dicts", "sum"],
)
def test_deep_nesting_is_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"nested too deeply|levels|not readable") as caught:
        read(tmp_path, it=text)
    assert len(str(caught.value)) < 300


def test_values_that_double_and_double_are_refused(tmp_path: Path) -> None:
    lines = ["a0 = dict(x=1)", *(f"a{n + 1} = dict(x=a{n}, y=a{n})" for n in range(40))]
    with pytest.raises(ConfigError, match="at most 100000"):
        read(tmp_path, it="\n".join(lines))


def test_circles_of_bases_are_found(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"_base_ leads back to c\.py"):
        read(tmp_path, a="_base_ = 'b.py'", b="_base_ = ['c.py']", c="_base_ = 'a.py'")


def test_bases_that_multiply_are_refused(tmp_path: Path) -> None:
    files = {f"n{n}": f"_base_ = ['n{n - 1}.py', './n{n - 1}.py']" for n in range(1, 12)}
    with pytest.raises(ConfigError, match=r"more than 100"):
        read(tmp_path, n0="", **files)


def test_two_bases_may_not_give_the_same_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"two files of _base_ give x: .*a.py:1 too"):
        read(tmp_path, a="x = 1", b="x = 2", top="_base_ = ['a.py', 'b.py']")


def test_a_mapping_is_not_merged_into_a_number(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="write _delete_=True"):
        read(tmp_path, a="x = 1", top="_base_ = 'a.py'\nx = dict(y=1)")


def test_a_huge_file_and_a_pipe_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "huge.py").write_bytes(b"#" * 1_100_000)
    with pytest.raises(ConfigError, match="too many for a config"):
        read_config(tmp_path / "huge.py")
    os.mkfifo(tmp_path / "pipe.py")
    with pytest.raises(ConfigError, match="no such file"):
        read_config(tmp_path / "pipe.py")


@pytest.mark.slow
def test_the_configs_of_mmseg_are_read() -> None:
    """All that its wheel ships and that call no functions; mmengine read the same from them when that was compared."""
    python = Path(os.environ.get("FOVEATE_PEERS", ROOT / ".venv-bench/bin/python"))
    folders = list(python.parents[1].glob("lib/python3*/site-packages/mmseg/.mim/configs"))
    if not folders:
        pytest.skip("mmseg is not installed: make bench installs it, or name the Python that has it in FOVEATE_PEERS")
    unread = []
    for path in sorted(folders[0].rglob("*.py")):
        try:
            read_config(path)
        except ConfigError as error:
            unread.append(str(error))
    assert [message for message in unread if "`range(" not in message and ".update(" not in message] == []
    assert len(unread) < 30
