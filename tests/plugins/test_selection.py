"""Which plugins are loaded: --disable, and the allow-list in the environment."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest

from foveate.plugins import manager
from foveate.plugins.errors import PluginConfigError, PluginError
from foveate.plugins.manager import GROUP, discover, installed_plugins
from foveate.plugins.records import Block
from foveate.plugins.selection import OURS, select

SOURCE = """
from foveate.plugins import Block, hookimpl
@hookimpl
def foveate_blocks():
    yield Block(name="{name}", summary="Made up", kind="3-D", build="torch.nn:Identity")
"""


@pytest.fixture
def points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restore_modules: None) -> list[EntryPoint]:
    """Ours and two made-up ones, as if they were all that is installed."""
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("one", "two"):
        info = tmp_path / f"{name}_dist-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-dist\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = made_up_{name}\n")
        (tmp_path / f"made_up_{name}.py").write_text(SOURCE.format(name=f"made_{name}"))
    found = [point for dist in distributions(path=[str(tmp_path)]) for point in dist.entry_points]
    points = [EntryPoint("blocks", f"{OURS}plugins.attention", GROUP), *sorted(found)]
    monkeypatch.setattr(manager, "entry_points", lambda group: points)
    monkeypatch.setattr(manager, "_installed", None)
    monkeypatch.delenv("FOVEATE_PLUGINS", raising=False)
    return points


def names(allowed: str | None, points: list[EntryPoint], *disable: str) -> tuple[list[str], list[str]]:
    wanted, unwanted = select(points, allowed=allowed, disable=disable)
    return [point.name for point in wanted], [point.name for point in unwanted]


@pytest.mark.parametrize(
    ("allowed", "loaded"),
    [
        (None, ["blocks", "one", "two"]),
        ("none", ["blocks"]),
        ("", ["blocks"]),
        ("two", ["blocks", "two"]),
        ("one-dist, two", ["blocks", "one", "two"]),
    ],
)
def test_the_environment_allows(points: list[EntryPoint], allowed: str | None, loaded: list[str]) -> None:
    assert names(allowed, points)[0] == loaded


@pytest.mark.parametrize("name", ["one", "one-dist"])
def test_a_plugin_is_disabled_by_entry_point_or_distribution(points: list[EntryPoint], name: str) -> None:
    assert names(None, points, name) == (["blocks", "two"], ["one"])


def test_what_is_disabled_stays_so_though_the_environment_allows_it(points: list[EntryPoint]) -> None:
    assert names("one,two", points, "one") == (["blocks", "two"], ["one"])


def test_disabling_what_is_not_installed_is_an_error_with_the_close_name(points: list[EntryPoint]) -> None:
    with pytest.raises(PluginConfigError, match=r"--disable: no plugin 'tow'; did you mean 'two'\? \(installed: bl"):
        select(points, allowed=None, disable=["tow"])


def test_allowing_what_is_not_installed_is_a_warning(points: list[EntryPoint]) -> None:
    with pytest.warns(RuntimeWarning, match="FOVEATE_PLUGINS: no plugin 'tow' is installed; did you mean 'two'"):
        select(points, allowed="tow", disable=())


def test_what_is_disabled_is_not_imported_and_named_where_its_block_is_missed(points: list[EntryPoint]) -> None:
    plugins = installed_plugins(disable=["one"])
    assert plugins.disabled == ["one"]
    assert "made_up_one" not in sys.modules
    assert plugins.find("made_two", Block).provider.distribution == "two-dist"
    with pytest.raises(PluginConfigError, match=r"no block named 'made_one'.*; disabled: one"):
        plugins.find("made_one", Block)


def test_the_choice_holds_for_the_process(points: list[EntryPoint]) -> None:
    installed_plugins(disable=["one"])
    assert installed_plugins().disabled == ["one"]


def test_the_environment_is_read_when_plugins_are_first_asked_for(
    points: list[EntryPoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOVEATE_PLUGINS", "none")
    plugins = installed_plugins()
    assert plugins.disabled == ["one", "two"]
    assert "made_up_one" not in sys.modules
    assert plugins.find("se", Block).record.kind == "channel"


def test_a_file_of_the_current_folder_is_taken_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restore_modules: None
) -> None:
    (tmp_path / "made_up_file.py").write_text(SOURCE.format(name="made"))
    monkeypatch.chdir(tmp_path)
    assert discover([], ["made_up_file"]).find("made", Block).provider.entry_point == "--plugins made_up_file"


def test_a_file_that_fails_is_an_error_and_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restore_modules: None
) -> None:
    (tmp_path / "made_up_file.py").write_text("raise RuntimeError('boom')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PluginError, match="boom"):
        discover([], ["made_up_file"])
    assert "made_up_file" not in sys.modules
