"""`foveate plugins`: info, doctor, new, check."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from foveate.cli import main
from foveate.plugins import manager
from foveate.plugins.errors import PluginConfigError
from foveate.plugins.scaffold import write_plugin

HEAD = "from foveate.plugins import Block, hookimpl\n@hookimpl\ndef foveate_blocks():\n    yield "
GOOD = HEAD + "Block(name='{name}', summary='Made up', kind='3-D', build='torch.nn:Identity', api={api})"
CROPPING = (
    HEAD
    + """Block(name='crop', summary='Crops', kind='3-D', build=Crop)
from torch import nn
class Crop(nn.Module):
    def __init__(self, channels, *, step: int = 2):
        super().__init__()
    def forward(self, x):
        return x[..., : max(x.shape[3] // 2 * 2, 1)]
"""
)


@pytest.fixture(autouse=True)
def search_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, restore_modules: None) -> None:
    """Plugins that a test adds are not there for the next."""
    monkeypatch.setattr(manager, "_installed", None)
    monkeypatch.delenv("FOVEATE_PLUGINS", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of made-up distributions, one for each way to go wrong."""
    sources = {
        "good": GOOD.format(name="made", api=1),
        "twin": GOOD.format(name="made", api=1),
        "newer": GOOD.format(name="new", api=99),
        "heavy": "import torch\n" + GOOD.format(name="heavy", api=1),
        "loud": "print('hello')\n" + GOOD.format(name="loud", api=1),
        "boom": "raise RuntimeError('two\\nlines')",
        "gone": "import os; os._exit(7)",
    }
    folder = tmp_path / "site"
    for name, source in sources.items():
        info = folder / f"{name}_dist-1.2.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-dist\nVersion: 1.2\n")
        entry = f"[foveate]\n{name} = made_up_{name}\n"
        entry += "[lightning.pytorch.callbacks_factory]\nx = made_up_good:callbacks\n" if name == "good" else ""
        (info / "entry_points.txt").write_text(entry)
        (folder / f"made_up_{name}.py").write_text(source)
    return folder


def command(*words: str, path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`foveate plugins` in a process that has `path` installed."""
    settings = {**os.environ, "PYTHONPATH": str(path), "PYTHONSAFEPATH": "1", **environment}
    call = [sys.executable, "-m", "foveate.cli", "plugins", *words]
    return subprocess.run(call, env=settings, capture_output=True, text=True, timeout=120)


def row(text: str, first: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(first))


def test_the_doctor_says_of_each_plugin_what_is_wrong(site: Path) -> None:
    done = command("doctor", path=site)
    assert done.returncode == 5
    assert "Traceback" not in done.stdout + done.stderr
    assert row(done.stdout, "foveate").split()[-2:] == ["no", "yes"]
    assert row(done.stdout, "good-dist 1.2").split()[-2:] == ["no", "yes"]
    assert row(done.stdout, "heavy-dist 1.2").split()[-2:] == ["imported", "yes"]
    assert row(done.stdout, "loud-dist 1.2").split()[-1] == "yes"
    assert "RuntimeError: two lines" in row(done.stdout, "boom-dist 1.2")
    assert "code 7" in row(done.stdout, "gone-dist 1.2")
    assert "needs plugin interface 99, here is 1" in " ".join(done.stdout.split())
    assert "2 plugins offer block made; write good-dist:made or twin-dist:made" in done.stdout
    assert "Lightning adds the callbacks of made_up_good:callbacks (good-dist" in done.stdout
    assert "ERROR plugin: left out: boom = made_up_boom, gone = made_up_gone, newer = made_up_newer" in done.stderr


def test_the_doctor_does_not_import_what_the_environment_leaves_out(site: Path) -> None:
    done = command("doctor", path=site, FOVEATE_PLUGINS="good")
    assert done.returncode == 0, done.stderr
    assert "FOVEATE_PLUGINS leaves it out" in row(done.stdout, "boom-dist 1.2")
    assert "FOVEATE_PLUGINS: good" in done.stdout


def test_a_clean_house_is_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "doctor"]) == 0
    assert "plugin interface here: 1; FOVEATE_PLUGINS: not set" in capsys.readouterr().out


def test_list_tells_what_was_not_imported(site: Path) -> None:
    done = command("list", "--disable", "boom,gone,twin", path=site, FOVEATE_PLUGINS="good,boom")
    assert done.returncode == 0
    assert row(done.stdout, "made").split()[3:5] == ["good-dist", "1.2"]
    assert "not imported: boom, gone, heavy, loud, newer, twin" in " ".join(done.stderr.split())


def test_listing_imports_neither_torch_nor_lightning(tmp_path: Path) -> None:
    program = (
        "import sys; from foveate.cli import main; main(['plugins', 'list']);"
        "sys.exit(str([m for m in ('torch', 'lightning', 'numpy') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == "[]"


def test_info_shows_the_record_the_options_and_the_costs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "info", "cbam"]) == 0
    shown = capsys.readouterr().out
    assert "provided by  foveate" in shown
    assert "arXiv:1807.06521" in shown
    assert "options      reduction: int | None = None" in shown
    assert "kernel: int = 7" in shown
    assert "652" in row(shown, "32 ")


def test_info_of_a_block_that_cannot_be_imported_names_its_plugin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "made_up_lost.py").write_text(GOOD.format(name="lost", api=1).replace("torch.nn", "made_up_nowhere"))
    assert main(["plugins", "info", "lost", "--plugins", "made_up_lost"]) == 5
    assert "block 'lost' of made_up_lost cannot be built: ModuleNotFoundError" in capsys.readouterr().err


def test_check_passes_a_good_block_and_counts_its_costs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "check", "se", "--options", "{reduction: 4}", "--channels", "32"]) == 0
    shown = capsys.readouterr().out
    assert "builds" in shown
    assert "552 parameters at 32 channels" in shown
    assert "failed" not in shown
    assert "multiply-adds at 64 x 64" in shown


def test_check_of_a_faulty_block_ends_with_5_and_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "made_up_crop.py").write_text(CROPPING)
    assert main(["plugins", "check", "crop", "--plugins", "made_up_crop"]) == 5
    shown = capsys.readouterr()
    assert row(shown.out, "shape").split()[1] == "failed"
    assert "ERROR plugin: block 'crop' of made_up_crop breaks " in shown.err
    assert "shape: the input has shape (2, 16, 1, 7), the output (2, 16, 1, 6); pad before and crop after" in shown.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["check", "cbma"], "no block named 'cbma'; did you mean 'cbam'?"),
        (["check", "se", "--options", "{ratio: 4}"], "block 'se' has no option 'ratio'"),
        (["info", "sse"], "no block named 'sse'"),
        (["list", "--disable", "bloks"], "--disable: no plugin 'bloks'; did you mean 'blocks'?"),
    ],
)
def test_a_mistake_is_one_line_and_2(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["My", "1st", "a_b", "a--b", "a-", "-a", "../a", "", "a b", "å"])
def test_a_new_plugin_needs_a_proper_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(PluginConfigError, match="small letters, digits and single '-'"):
        write_plugin(name, tmp_path)


@pytest.mark.parametrize(
    ("name", "why"), [("torch", "a module already"), ("class", "a keyword of Python"), ("se", "installed already")]
)
def test_a_new_plugin_does_not_take_a_name_that_is_taken(name: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(PluginConfigError, match=why):
        write_plugin(name, tmp_path)
    assert not (tmp_path / name).exists()


def test_a_new_plugin_does_not_write_over_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "my-attention").mkdir()
    assert main(["plugins", "new", "my-attention"]) == 2
    assert "my-attention exists; choose another name" in capsys.readouterr().err
    assert list((tmp_path / "my-attention").iterdir()) == []


@pytest.mark.slow
def test_a_stranger_makes_installs_and_checks_a_plugin(tmp_path: Path) -> None:
    assert main(["plugins", "new", "my-attention", "--out", str(tmp_path / "work")]) == 0
    source, target = tmp_path / "work/my-attention", tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(source)], cwd=source, check=True)
    listed = command("list", path=target)
    assert "my-attention 0.1.0" in row(listed.stdout, "my-attention")
    checked = command("check", "my-attention", "--options", "{kernel: 5}", path=target)
    assert checked.returncode == 0, checked.stderr
    assert "failed" not in checked.stdout
    settings = {**os.environ, "PYTHONPATH": str(target), "PYTHONSAFEPATH": "1"}
    pytest_words = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path), "tests"]
    own = [sys.executable, "-m", "pytest", *pytest_words, "-k", "shape or dtype or pickle"]
    done = subprocess.run(own, cwd=source, env=settings, capture_output=True, text=True)
    assert "6 passed" in done.stdout, done.stdout


def test_what_is_written_is_as_the_linter_wants_it(tmp_path: Path, root: Path) -> None:
    folder = write_plugin("my-attention", tmp_path)
    call = [sys.executable, "-m", "ruff", "format", "--check", "--config", str(root / "pyproject.toml"), str(folder)]
    done = subprocess.run(call, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
