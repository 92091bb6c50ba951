"""Rows 52 to 60 of the faults: a plugin that ends, hangs, crashes or prints harms no command that does not use it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest

from foveate.plugins import manager
from foveate.plugins.errors import PluginLeftOutError
from foveate.plugins.manager import Plugins, discover
from foveate.plugins.records import Block, Encoder, Loss
from foveate.plugins.trial import attempt

HEAD = "from foveate.plugins import Block, hookimpl\n@hookimpl\ndef foveate_blocks():\n    yield "
GOOD = HEAD + "Block(name='made', summary='Made up', kind='3-D', build='torch.nn:Identity')\n"
LATE = "from torch import nn\n" + GOOD.replace("'torch.nn:Identity'", "lambda channels: nn.Identity()")
NEW_NAME = GOOD.replace("'made'", "'other'")
# What a plugin does at its import, and what is said about it.
FAULTS = {
    "ends its process at once": ("import os; print('bye'); os._exit(0)", "ends the process with code 0 (bye)"),
    "ends its process with an error": ("import os; os._exit(7)", "ends the process with code 7"),
    "crashes": ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ends the process with SIGSEGV"),
    "exits": ("import sys; sys.exit(0)", "SystemExit: 0"),
    "hangs": ("import time; time.sleep(600)", "takes longer than 10 s (another limit: FOVEATE_PLUGIN_TIMEOUT=SECONDS)"),
    "raises": ("raise RuntimeError('boom')", "RuntimeError: boom"),
}
Install = Callable[..., list[EntryPoint]]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restore_modules: None) -> Path:
    """A folder on the path, and no verdicts of other tests."""
    monkeypatch.setenv("FOVEATE_PLUGIN_CACHE", str(tmp_path / "verdicts"))
    monkeypatch.setenv("FOVEATE_PLUGIN_TIMEOUT", "10")  # a busy machine takes seconds to import torch
    monkeypatch.delenv("FOVEATE_PLUGINS", raising=False)
    monkeypatch.setattr(manager, "_installed", None)
    monkeypatch.syspath_prepend(tmp_path / "site")
    return tmp_path / "site"


@pytest.fixture
def install(site: Path) -> Install:
    """Puts made-up distributions with one plugin each on the path, and gives their entry points."""

    def write(**sources: str) -> list[EntryPoint]:
        for name, source in sources.items():
            info = site / f"{name}_dist-1.2.dist-info"
            info.mkdir(parents=True)
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-dist\nVersion: 1.2\n")
            (info / "entry_points.txt").write_text(f"[foveate]\n{name} = made_up_{name}\n")
            (site / f"made_up_{name}.py").write_text(source)
        return sorted(point for dist in distributions(path=[str(site)]) for point in dist.entry_points)

    return write


def found(points: Sequence[EntryPoint]) -> Plugins:
    return discover(points, isolated=True)


def command(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`foveate` in a process that has the made-up distributions installed."""
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    settings = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    call = [sys.executable, "-m", "foveate.cli", *words]
    return subprocess.run(call, env=settings, cwd=site, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("what", FAULTS)
def test_a_plugin_that_fails_at_import_is_named_and_left_out(what: str, install: Install) -> None:
    source, reason = FAULTS[what]
    points = install(bad=source, good=GOOD)
    with pytest.warns(RuntimeWarning, match="left out plugin 'bad = made_up_bad' of bad-dist 1.2: ") as caught:
        plugins = found(points)
    assert len(caught) == 1
    assert reason in str(caught[0].message)
    assert plugins.find("made", Block).provider.distribution == "good-dist"
    assert "made_up_bad" not in sys.modules


@pytest.mark.slow
def test_a_command_goes_on_without_the_plugins_that_end_hang_or_print(install: Install, site: Path) -> None:
    loud = "import os, sys; print('hello'); os.write(1, b'HELLO'); sys.__stdout__.write('again')\n"
    install(bad=FAULTS["ends its process at once"][0], slow=FAULTS["hangs"][0], loud=loud + LATE)
    started = time.monotonic()
    done = command(site, "plugins", "list")
    assert time.monotonic() - started < 90
    assert done.returncode == 0, done.stderr
    assert "made" in done.stdout
    assert not any(word in done.stdout for word in ("hello", "HELLO", "again"))
    for word in ("'bad = made_up_bad'", "'slow = made_up_slow'", "hello", "HELLO", "again"):
        assert word in done.stderr, word


def test_the_block_of_a_plugin_that_was_left_out_ends_with_5_and_the_reason(install: Install, site: Path) -> None:
    install(bad=FAULTS["ends its process at once"][0])
    done = command(site, "plugins", "info", "unheard_of")
    assert done.returncode == 5, done.stderr
    assert "no block named 'unheard_of'" in done.stderr
    assert "plugin 'bad = made_up_bad' of bad-dist 1.2: its import ends the process with code 0" in done.stderr
    assert "installed:" not in done.stderr


@pytest.mark.parametrize("kind", [Block, Encoder, Loss])
def test_what_a_plugin_offered_before_is_blamed_on_it_although_another_name_is_similar(
    kind: type[Block], install: Install, site: Path
) -> None:
    noun = kind.noun
    source = GOOD.replace("Block", kind.__name__).replace("blocks", kind.what)
    source = source if kind is Block else source.replace("kind='3-D', ", "")
    points = install(bad=source, good=source.replace("'made'", "'mado'"))
    assert found(points).find("made", kind).provider.distribution == "bad-dist"
    del sys.modules["made_up_bad"]
    (site / "made_up_bad.py").write_text("import os; os._exit(3)")
    with pytest.warns(RuntimeWarning, match="left out"):
        plugins = found(points)
    with pytest.raises(PluginLeftOutError, match=f"no {noun} named 'made'; left out: plugin 'bad = .*code 3") as caught:
        plugins.find("made", kind)
    assert caught.value.exit_code == 5


def test_only_the_plugin_in_use_is_imported(install: Install) -> None:
    plugins = found(install(one=GOOD, two=NEW_NAME))
    assert {"made_up_one", "made_up_two"}.isdisjoint(sys.modules)
    assert {offer.record.name for offer in plugins.of_kind(Block)} == {"made", "other"}
    assert plugins.find("made", Block).record.build == "torch.nn:Identity"
    assert "made_up_one" in sys.modules
    assert "made_up_two" not in sys.modules


def test_a_second_start_imports_nothing_and_a_changed_file_is_tried_again(
    install: Install, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = install(one=GOOD)
    tried: list[str] = []
    monkeypatch.setattr("foveate.plugins.verdicts.attempt", lambda p, s: tried.append(p.name) or attempt(p, s))
    assert [offer.record.name for offer in found(points).offers] == ["made"]
    assert [offer.record.name for offer in found(points).offers] == ["made"]
    assert tried == ["one"]
    (site / "made_up_one.py").write_text(NEW_NAME)
    assert [offer.record.name for offer in found(points).offers] == ["other"]
    assert tried == ["one", "one"]


def test_a_fault_is_not_remembered(install: Install, site: Path) -> None:
    points = install(one="raise RuntimeError('boom')")
    with pytest.warns(RuntimeWarning, match="boom"):
        assert found(points).offers == []
    (site / "made_up_one.py").write_text(GOOD)
    assert len(found(points).offers) == 1


@pytest.mark.parametrize("folder", ["none", "/proc/nowhere"])
def test_without_a_cache_plugins_load_too(folder: str, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOVEATE_PLUGIN_CACHE", folder)
    assert len(found(install(one=GOOD)).offers) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"stamp": "x"}', '{"stamp": "x", "verdict": {"records": 3}}'])
def test_a_damaged_verdict_is_made_again(text: str, install: Install, tmp_path: Path) -> None:
    points = install(one=GOOD)
    found(points)
    (file,) = (tmp_path / "verdicts").iterdir()
    file.write_text(text)
    assert len(found(points).offers) == 1


def test_records_that_hold_functions_without_a_name_are_taken_by_an_import_here(install: Install) -> None:
    plugins = found(install(late=LATE))
    assert "made_up_late" in sys.modules
    assert plugins.find("made", Block).record.build


def test_a_plugin_that_fails_only_here_is_left_out_when_it_is_used(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = found(install(odd="import os\nif 'ODD' in os.environ: raise RuntimeError('odd')\n" + GOOD))
    monkeypatch.setenv("ODD", "1")
    with (
        pytest.warns(RuntimeWarning, match="left out plugin 'odd = made_up_odd'"),
        pytest.raises(PluginLeftOutError, match="RuntimeError: odd"),
    ):
        plugins.find("made", Block)


def test_what_a_hanging_plugin_started_is_killed_with_it(install: Install, site: Path) -> None:
    source = "import subprocess, pathlib, time\np = subprocess.Popen(['sleep', '600'])\n"
    source += f"pathlib.Path({str(site / 'pid')!r}).write_text(str(p.pid))\ntime.sleep(600)"
    (point,) = install(slow=source)
    assert "takes longer than 3 s" in attempt(point, 3).fault
    pid = int((site / "pid").read_text())
    for _ in range(50):
        try:
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":  # dead, and not yet collected by init
                return
        except OSError:
            return
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("it goes on")


def test_help_and_version_look_for_no_plugins(install: Install, site: Path) -> None:
    marker = site / "imported"
    install(bad=f"open({str(marker)!r}, 'w').close(); import os; os._exit(0)")
    for words in (["--help"], ["--version"], ["fit", "--help"]):
        assert command(site, *words).returncode == 0
    assert not marker.exists()
