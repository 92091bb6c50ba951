"""A stranger's way: make a plugin, install it, check it, train with it; and what is said once it is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
SMALL = [
    "--data.batch_size=2",
    "--data.num_workers=0",
    "--data.crop=[32,32]",
    "--model.inference.size=[64,64]",
    "--model.inference.stride=[48,48]",
    "--trainer.max_steps=2",
    "--trainer.val_check_interval=2",
    "--trainer.log_every_n_steps=1",
    "--trainer.accelerator=cpu",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing installed but the plugin, made from the template."""
    work, target = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("site")
    assert foveate("plugins", "new", "my-attention", cwd=work).returncode == 0
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(work / "my-attention")], cwd=work, check=True)
    return target


def foveate(*words: str, cwd: Path, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with what is installed in `site`."""
    settings = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": str(site) if site else ""}
    settings |= {"FOVEATE_RUN_DIR": "", "FOVEATE_PLUGINS": "my-attention"}  # no other plugin of this machine has a say
    call = [sys.executable, "-m", "foveate.cli", *words]
    return subprocess.run(call, cwd=cwd, env=settings, capture_output=True, text=True, timeout=300)


def fit(root: Path, *, cwd: Path, site: Path) -> Path:
    """Two steps with the plugin as the gate; the checkpoint."""
    recipe = ["--config", "synthetic_segnext_t", "--data.root", str(root), "--model.attention", "{gate: my-attention}"]
    done = foveate("fit", *recipe, *SMALL, cwd=cwd, site=site)
    assert done.returncode == 0, done.stderr
    return cwd / "runs/latest/checkpoints/last.ckpt"


def list_in_compare(root: Path, *, cwd: Path, site: Path) -> str:
    """What `foveate compare` prints of the plugin beside no attention."""
    words = ["synthetic_segnext_t", "--blocks", "none,my-attention", "--slot", "gate", "--seeds", "1", "--steps", "2"]
    words += ["--rounds", "1", "--field", "0", "--data.crop", "[32,32]", "--data.batch_size", "2"]
    done = foveate("compare", *words, "--out", str(cwd / "comparison"), "--data.root", str(root), cwd=cwd, site=site)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_the_template_makes_passes_the_check(site: Path, tmp_path: Path) -> None:
    done = foveate("plugins", "check", "my-attention", cwd=tmp_path, site=site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" not in done.stdout


def test_its_checkpoint_is_evaluated_and_without_it_says_what_to_install(
    site: Path, tmp_path: Path, cityscapes_root: Path
) -> None:
    checkpoint = fit(cityscapes_root, cwd=tmp_path, site=site)
    assert "my-attention" in (tmp_path / "runs/latest/recipe.yaml").read_text()
    done = foveate("validate", "--ckpt_path", str(checkpoint), cwd=tmp_path, site=site)
    assert done.returncode == 0, done.stderr
    gone = foveate("validate", "--ckpt_path", str(checkpoint), cwd=tmp_path)
    assert gone.returncode == 5, gone.stderr
    assert "pip install my-attention==0.1.0" in gone.stderr
    assert "Traceback" not in gone.stderr


def test_it_is_compared_with_no_attention(site: Path, tmp_path: Path, cityscapes_root: Path) -> None:
    table = list_in_compare(cityscapes_root, cwd=tmp_path, site=site)
    assert "my-attention" in table
    assert "| my-attention | " in (tmp_path / "comparison/comparison.md").read_text()
