"""Discovery: good plugins are found, and faulty ones harm nobody else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest

from foveate.plugins.errors import PluginConfigError, PluginError
from foveate.plugins.manager import Plugins, discover, installed_plugins
from foveate.plugins.records import Block, Decoder, Encoder, Loss, Metric

HEAD = "from foveate.plugins import Block, hookimpl\n"
Install = Callable[..., list[EntryPoint]]


def offering(name: str, **fields: object) -> str:
    """Source of a plugin with one block."""
    record = {"name": name, "summary": "Made up", "kind": "3-D", "build": "torch.nn:Identity", **fields}
    return f"{HEAD}@hookimpl\ndef foveate_blocks():\n    yield Block(**{record!r})\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restore_modules: None) -> Install:
    """Puts made-up distributions with one plugin each on the path, and gives their entry points."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(**sources: str | None) -> list[EntryPoint]:
        for name, source in sources.items():
            info = tmp_path / f"{name}_dist-1.2.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-dist\nVersion: 1.2\n")
            (info / "entry_points.txt").write_text(f"[foveate]\n{name} = made_up_{name}\n")
            if source is not None:
                (tmp_path / f"made_up_{name}.py").write_text(source)
        return [point for dist in distributions(path=[str(tmp_path)]) for point in dist.entry_points]

    return write


FAULTS = {
    "raises at import": ("raise RuntimeError('boom')", "RuntimeError: boom"),
    "ends the process at import": ("import sys; sys.exit(0)", "SystemExit: 0"),
    "is not there": (None, "ModuleNotFoundError"),
    "does not parse": ("def (", "SyntaxError"),
    "misspells a hook": (HEAD + "@hookimpl\ndef foveate_block(): return []", "'foveate_block'"),
    "misspells a hook, unmarked": ("def foveate_block(): return []", "did you mean 'foveate_blocks'?"),
    "has a wrong signature": (HEAD + "@hookimpl\ndef foveate_blocks(registry): return []", "registry"),
    "asks for a newer interface": (offering("made", api=99), "needs plugin interface 99"),
    "forgets the marker": ("def foveate_blocks(): return []", "is @hookimpl missing?"),
    "fails when asked": (HEAD + "@hookimpl\ndef foveate_blocks():\n    raise KeyError('lost')\n    yield", "KeyError"),
    "gives no record": (HEAD + "@hookimpl\ndef foveate_blocks(): return ['made']", "gave a str, not a Block"),
    "has a bad record": (offering("../made"), "a block's name is letters"),
}


@pytest.mark.parametrize(("source", "reason"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_plugin_is_left_out_by_name_and_the_others_work(
    install: Install, source: str | None, reason: str
) -> None:
    points = install(bad=source, good=offering("made"))
    with pytest.warns(RuntimeWarning, match="left out plugin 'bad = made_up_bad' of bad-dist 1.2: ") as caught:
        plugins = discover(points)
    assert len(caught) == 1
    assert reason in str(caught[0].message)
    assert [offer.provider.distribution for offer in plugins.offers] == ["good-dist"]
    assert plugins.find("made", Block).record.summary == "Made up"


def test_ctrl_c_while_a_plugin_loads_ends_the_search(install: Install) -> None:
    with pytest.raises(KeyboardInterrupt):
        discover(install(slow="raise KeyboardInterrupt"))


def test_an_unknown_name_tells_what_was_left_out(install: Install) -> None:
    with pytest.warns(RuntimeWarning, match="left out"):
        plugins = discover(install(bad="raise RuntimeError('boom')", good=offering("made")))
    with pytest.raises(
        PluginConfigError, match=r"left out: plugin 'bad = made_up_bad' of bad-dist 1.2: .*boom"
    ) as caught:
        plugins.find("wanted", Block)
    assert caught.value.exit_code == 5
    with pytest.raises(PluginConfigError, match=r"did you mean 'made'.*left out: .*boom") as caught:
        plugins.find("mode", Block)
    assert caught.value.exit_code == 2


def test_two_blocks_of_one_name_are_an_error_that_names_both(install: Install) -> None:
    plugins = discover(install(one=offering("made"), two=offering("made")))
    with pytest.raises(PluginError, match="2 blocks are named 'made'") as caught:
        plugins.find("made", Block)
    assert caught.value.exit_code == 5
    assert "one-dist:made" in str(caught.value)
    assert "two-dist:made" in str(caught.value)


@pytest.mark.parametrize("distribution", ["one-dist", "two-dist"])
def test_the_distribution_before_a_colon_picks(install: Install, distribution: str) -> None:
    plugins = discover(install(one=offering("made"), two=offering("made")))
    assert plugins.find(f"{distribution}:made", Block).provider.distribution == distribution


def test_a_mistyped_name_is_answered_with_the_close_one() -> None:
    with pytest.raises(PluginConfigError, match=r"no block named 'cbma'; did you mean 'cbam'\?") as caught:
        installed_plugins().find("cbma", Block)
    assert caught.value.exit_code == 2
    assert "msca" in str(caught.value)


def test_a_module_is_taken_by_name(install: Install) -> None:
    install(loose=offering("made"))
    plugins = discover([], modules=["made_up_loose"])
    assert plugins.find("made", Block).provider.entry_point == "--plugins made_up_loose"


KINDS = {
    "encoders": ("Encoder", Encoder),
    "decoders": ("Decoder", Decoder),
    "losses": ("Loss", Loss),
    "metrics": ("Metric", Metric),
}


def record_of(hook: str, record: str, **fields: object) -> str:
    """Source of a plugin with one record of another kind."""
    given = {"name": "made", "summary": "Made up", "build": "torch.nn:Identity", **fields}
    head = f"from foveate.plugins import {record}, hookimpl\n"
    return f"{head}@hookimpl\ndef foveate_{hook}():\n    yield {record}(**{given!r})\n"


@pytest.mark.parametrize("hook", KINDS)
def test_every_kind_of_record_is_found_under_its_own_kind(install: Install, hook: str) -> None:
    name, kind = KINDS[hook]
    plugins = discover(install(good=record_of(hook, name)))
    assert plugins.find("made", kind).record.summary == "Made up"
    with pytest.raises(PluginConfigError, match="no block named 'made'"):
        plugins.find("made", Block)


@pytest.mark.parametrize("hook", KINDS)
def test_every_kind_may_ask_for_a_newer_interface(install: Install, hook: str) -> None:
    name, kind = KINDS[hook]
    with pytest.warns(RuntimeWarning, match=rf"{kind.noun} 'made' needs plugin interface 99, here is 1"):
        assert discover(install(newer=record_of(hook, name, api=99))).offers == []


@pytest.mark.parametrize("hook", KINDS)
def test_a_record_of_another_kind_is_refused(install: Install, hook: str) -> None:
    source = record_of(hook, "Block", kind="3-D")
    with pytest.warns(RuntimeWarning, match=rf"foveate_{hook} gave a Block, not a {KINDS[hook][0]}"):
        assert discover(install(mixed=source)).offers == []


def test_a_prefix_answers_every_name_that_begins_with_it(install: Install) -> None:
    plugins = discover(install(zoo=record_of("encoders", "Encoder", prefix=True)))
    assert plugins.find("made:resnet18", Encoder).provider.distribution == "zoo-dist"
    assert plugins.find("zoo-dist:made:resnet18", Encoder).record.name == "made"
    for name in ("made", "madeup:resnet18"):
        with pytest.raises(PluginConfigError, match=r"installed: made:\.\.\."):
            plugins.find(name, Encoder)


def test_nothing_installed_offers_nothing() -> None:
    assert discover([]) == Plugins()


def test_listing_blocks_imports_neither_torch_nor_lightning(tmp_path: Path) -> None:
    program = (
        "import sys, foveate.plugins as p; from foveate.plugins.manager import installed_plugins as installed;"
        "print(len(installed().offers), [m for m in ('torch', 'lightning', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    count, _, heavy = done.stdout.strip().partition(" ")
    assert int(count) >= 5
    assert heavy == "[]"
