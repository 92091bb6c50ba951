"""The README's commands and code run as they stand, on small data."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from foveate import cli
from foveate.cli import main
from foveate.pipeline.models import create_model
from foveate.plugins import manager

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [line.strip() for line in README.splitlines() if line.startswith("    foveate ")]
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SHORT = "--data.batch_size=2 --data.num_workers=0 --trainer.max_steps=2 --trainer.val_check_interval=2"
FEW = "--seeds=1 --steps=2 --rounds=1 --field=0 --data.batch_size=2 --data.crop=[32,32]"


def test_there_are_commands_and_code_to_try() -> None:
    assert len(COMMANDS) >= 8
    assert len(CODE) == 2


def shortened(words: list[str]) -> list[str]:
    """Flags that make a command quick."""
    if words[0] == "compare":
        return FEW.split()
    if words[0] == "bench":
        return ["--size=64x96", "--engine=folded", "--rounds=1"]
    if words[0] != "fit" or "last" in words:
        return ["--trainer.max_steps=4"] if words[0] == "fit" else []
    recipe = words[words.index("--config") + 1]
    small = [*SHORT.split(), "--trainer.max_epochs=-1", "--trainer.check_val_every_n_epoch=null"]
    if recipe.startswith(("digits", "cifar")):
        return [*small, "--trainer.limit_val_batches=2"]
    if recipe == "cityscapes_segnext_t":
        small += ["--model.inference.size=[64,64]", "--model.inference.stride=[48,48]"]
    return [*small, "--data.crop=[32,32]"]


def write_classes(root: Path) -> None:
    """Ten classes of two images each, as folders."""
    for split in ("train", "val"):
        for name in ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"):
            for number in range(2):
                image = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
                file = root / split / name / f"{number}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(file)


@pytest.mark.slow
@pytest.mark.timeout(1500)  # a training for nearly every command
def test_the_commands_run_one_after_the_other(
    cityscapes_root: Path, camvid_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    monkeypatch.setenv("HOME", str(tmp_path))  # ~/cityscapes and ~/camvid
    monkeypatch.setattr(manager, "_installed", None)
    encoder = create_model("segnext_t", num_classes=19).encoder
    torch.save({"state_dict": encoder.state_dict()}, "mscan_t")
    shutil.copytree(camvid_root / "val", "photos")
    Path("my_blocks.py").write_text(next(code for code in CODE if code.startswith("# my_blocks.py")))
    write_classes(tmp_path / "cifar10")
    shutil.copytree(cityscapes_root, "data/scenes")
    for command in COMMANDS:
        words = shlex.split(command, comments=True)[1:]
        words = [word if word != "auto" else "folded" for word in words]  # trying them all takes a minute
        assert main([*words, *shortened(words)]) == 0, command
    manager._installed = None


def test_the_code_of_the_model_runs() -> None:
    names: dict[str, object] = {"images": torch.zeros(1, 3, 40, 50)}
    exec(next(code for code in CODE if "create_model" in code), names)
    logits = names["logits"]
    assert isinstance(logits, torch.Tensor)
    assert logits.shape == (1, 19, 40, 50)


def test_every_command_that_is_named_exists() -> None:
    named = {*re.findall(r"`foveate ([a-z][a-z-]*)", README), *(command.split()[1] for command in COMMANDS)}
    assert named >= {"predict", "export", "serve", "demo", "explain", "push", "pull"}
    assert named <= {command.split()[0] for command in cli.COMMANDS}
