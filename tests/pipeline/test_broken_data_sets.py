"""A plugin with a broken data set stops nothing else, and is named where it is used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from foveate.cli import main
from foveate.plugins import manager

HOOK = "from foveate.plugins import DataSet, hookimpl\n{before}\n@hookimpl\ndef foveate_data():\n    yield "
RECORD = "DataSet(name='broken', summary='Made up', build={build!r}, detect={detect})\n"
MODULE = "made_up_broken"


def plugin(build: str = f"{MODULE}:Data", detect: str = "None", before: str = "class Data: ...") -> str:
    return HOOK.format(before=before) + RECORD.format(build=build, detect=detect)


# What is broken: the plugin, and what is said where it is used.
BROKEN = {
    "its class cannot be imported": (plugin("made_up_nowhere:Data"), "ModuleNotFoundError: No module named"),
    "its class is missing": (plugin(f"{MODULE}:Lost"), "AttributeError"),
    "its import ends the process": (plugin("made_up_exit:Data"), "SystemExit: 3"),
    "its class is no data module": (plugin(), f"{MODULE}.Data is no Lightning data module"),
    "its class is a function": (plugin(before="def Data(): ..."), f"{MODULE}.Data is no Lightning data module"),
}
DETECTING = {
    "raises": "def detect(root):\n    raise RuntimeError('two\\nlines')\nclass Data: ...",
    "ends the process": "import sys\ndef detect(root):\n    sys.exit(3)\nclass Data: ...",
    "is missing": "detect = 'made_up_nowhere:detect'\nclass Data: ...",
}


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restore_modules: None) -> None:
    monkeypatch.setattr(manager, "_installed", None)
    monkeypatch.delenv("FOVEATE_PLUGINS", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with a distribution `broken-dist`, whose module the test writes."""
    info = tmp_path / "site/broken_dist-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-dist\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[foveate]\nbroken = {MODULE}\n")
    (tmp_path / "site/made_up_exit.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return tmp_path / "site" / f"{MODULE}.py"


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_class_is_named_where_it_is_used_and_stops_nothing_else(
    what: str, install: Path, camvid_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, message = BROKEN[what]
    install.write_text(source)
    assert main(["data", "check", str(camvid_root)]) == 0
    for words in (
        ["fit", "--config", "camvid_segnext_t", "--data", "broken", "--data.root", str(camvid_root)],
        ["data", "check", str(camvid_root.parent), "--dataset", "broken"],
        ["plugins", "check", "broken"],
    ):
        capsys.readouterr()
        assert main(words) == 5, words
        error = capsys.readouterr().err
        assert "data set 'broken' of broken-dist 1.2 cannot be built" in error
        assert message in error
        assert "Traceback" not in error


@pytest.mark.parametrize("what", DETECTING)
def test_a_broken_detect_is_named_and_left_out(
    what: str, install: Path, tmp_path: Path, camvid_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    install.write_text(plugin(detect="detect", before=DETECTING[what]))
    assert main(["data", "check", str(camvid_root)]) == 0  # camvid is asked first
    assert "left out" not in caplog.text
    (tmp_path / "empty").mkdir()
    assert main(["data", "check", str(tmp_path / "empty")]) == 3
    assert "left out data set 'broken' of broken-dist 1.2: it cannot tell whether" in caplog.text


def test_a_build_that_recipes_cannot_name_leaves_the_plugin_out(
    install: Path, camvid_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install.write_text(plugin().replace(repr(f"{MODULE}:Data"), "lambda: Data()"))
    with pytest.warns(RuntimeWarning, match="data set 'broken': build is a class, or \"module:Class\", not"):
        assert main(["data", "check", str(camvid_root)]) == 0
    assert main(["data", "check", os.fspath(camvid_root), "--dataset", "broken"]) == 5
    assert "no data set named 'broken'; left out: plugin 'broken = made_up_broken'" in capsys.readouterr().err


def test_a_name_that_two_plugins_give_is_refused_where_it_is_used(
    install: Path, camvid_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install.write_text(plugin().replace("'broken'", "'camvid'"))
    assert main(["data", "check", str(camvid_root)]) == 0
    assert main(["data", "check", str(camvid_root), "--dataset", "foveate:camvid"]) == 0
    assert main(["fit", "--config", "folder_segnext_t", "--data", "camvid", "--data.root", str(camvid_root)]) == 5
    assert "2 data are named 'camvid'; write broken-dist:camvid or foveate:camvid" in capsys.readouterr().err
