"""A finished training can be verified; a changed image, recipe, plugin or kernel is found and named."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from foveate.tests.faults.conftest import TINY, Range, finish, last_line, run_here, start

pytestmark = pytest.mark.slow
OWN = "own_network.py"


def train(range_: Range, *more: str) -> None:
    code, output = run_here(range_.folder, range_.words("--checkpoints.every_steps=1", *more, record=None))
    assert code == 0, output


def train_with_own_plugin(range_: Range) -> None:
    """Train with a copy of the network that can be changed."""
    shutil.copy(TINY, range_.folder / OWN)
    words = range_.words("--checkpoints.every_steps=1", record=None)
    code, output = finish(start(range_.folder, [word.replace(str(TINY), OWN) for word in words]), 90)
    assert code == 0, output


def verify(range_: Range, *words: str, **environment: str) -> tuple[int, str]:
    return finish(start(range_.folder, ["verify", str(range_.run), *words], **environment), 120)


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("more", [[], ["--model.ema=0.9"], ["--trainer.accumulate_grad_batches=2"]])
def test_an_honest_run_is_equal_from_its_start_and_from_its_checkpoints(more: list[str], range_: Range) -> None:
    train(range_, *more)
    before = {path: path.read_bytes() for path in range_.run.rglob("*") if path.is_file()}
    code, output = verify(range_, "--steps=12")
    assert code == 0, output
    lines = re.findall(r"(\d+) steps from (\S+).*: equal bit for bit", output)
    assert len(lines) >= 2, output
    assert {path: path.read_bytes() for path in range_.run.rglob("*") if path.is_file()} == before


def test_a_changed_pixel_is_found_at_its_step(range_: Range) -> None:
    train(range_)
    path = range_.root / "images" / "train" / "4.png"
    with Image.open(path) as image:
        changed = image.copy()
    for x in range(24):
        changed.putpixel((x, 10), (255, 0, 255))
    changed.save(path)
    code, output = verify(range_, "--steps=12")
    assert code == 3, output
    assert re.search(r"step \d+: .*images/train/4\.png differ", last_line(output)), output


def test_a_changed_seed_is_named(range_: Range) -> None:
    train(range_)
    change(range_.run / "recipe.yaml", "seed_everything: 0", "seed_everything: 1")
    code, output = verify(range_, "--steps=12")
    assert code == 2, output
    assert re.search(r"step 1: .* has changed: recipe\.seed_everything \(0 -> 1\)", last_line(output)), output


def test_a_changed_plugin_is_found_at_its_step_and_named(range_: Range) -> None:
    train_with_own_plugin(range_)
    change(range_.folder / OWN, ".to(image.dtype) / 0.7", ".to(image.dtype) / 0.71")
    code, output = verify(range_)
    assert code == 5, output
    assert re.search(
        r"step \d+: the loss was .* since the training has changed: plugins\.own_network", last_line(output)
    )


def test_a_comment_in_a_plugin_is_told_and_forgiven(range_: Range) -> None:
    train_with_own_plugin(range_)
    with (range_.folder / OWN).open("a") as file:
        file.write("# no effect\n")
    code, output = verify(range_)
    assert code == 0, output
    assert "changed without effect: plugins.own_network" in output


def test_other_kernels_are_found_at_their_step_and_named(range_: Range) -> None:
    train(range_, "--model.network=segnext_t", "--data.crop=32x32", "--trainer.max_steps=3")
    code, output = verify(range_, "--steps=3", FOVEATE_NATIVE="0")
    assert code == 4, output
    assert "kernels (compiled -> those of PyTorch)" in last_line(output), output
    assert re.search(r"step \d+: the ", last_line(output))


def test_a_training_that_went_on_with_other_settings_is_equal_in_each_part(range_: Range) -> None:
    train(range_)
    words = ["fit", "--ckpt_path=best", "--trainer.max_steps=20", "--model.optimizer.lr=0.0005"]
    code, output = run_here(range_.folder, words)
    assert code == 0, output
    for seed in (0, 1, 2):
        code, output = verify(range_, "--steps=12", f"--seed={seed}")
        assert code == 0, output


def test_rows_that_were_lost_are_passed_over_and_a_trace_that_says_nothing_is_refused(range_: Range) -> None:
    train(range_)
    path = range_.run / "trace.csv"
    heading, *rows = path.read_text().splitlines()
    path.write_text("\n".join([heading, *rows[:3], *rows[4:]]) + "\n")
    code, output = verify(range_, "--steps=12")
    assert code == 0, output
    assert "equal bit for bit" in output
    elsewhere = [f"{row.partition(',')[0]},99,{row.split(',', 2)[2]}" for row in rows]
    path.write_text("\n".join([heading, *elsewhere]) + "\n")
    code, output = verify(range_, "--steps=12")
    assert code == 4, output
    assert "no step could be compared" in last_line(output)


def test_a_run_without_a_trace_says_so(range_: Range) -> None:
    train(range_)
    (range_.run / "trace.csv").unlink()
    code, output = verify(range_)
    assert code == 4
    assert "trace.csv" in last_line(output)
