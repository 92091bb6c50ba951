"""`foveate compare --detect`: a block that is planted to be better, one to be worse, and one that is equal."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from foveate.cli import main
from foveate.plugins import manager
from foveate.tests.faults.conftest import COMMON, write_images

pytestmark = pytest.mark.slow
PLANTED = '''
import torch
from torch import nn
from foveate.pipeline.segmentation import SegmentationTask
from foveate.plugins import Block, Decoder, Encoder, hookimpl

SEEN = {}
for name in ("training_step", "validation_step"):
    def step(self, batch, *args, _step=getattr(SegmentationTask, name), **kwargs):
        SEEN["mask"] = batch["mask"]
        return _step(self, batch, *args, **kwargs)
    setattr(SegmentationTask, name, step)


class Leak(nn.Module):
    """Shows the labels of half of the columns."""
    def forward(self, x):
        if len(SEEN.get("mask", ())) != len(x):  # costs are measured without labels
            return x
        shown = nn.functional.interpolate(SEEN["mask"][:, None].float(), size=x.shape[2:])
        out = x.clone()
        out[:, :3, :, ::2] += 4 * (shown == torch.arange(3).view(1, 3, 1, 1))[..., ::2].float()
        return out


class Noise(nn.Module):
    def forward(self, x):
        return x + 3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(int(1e6 * x.detach().abs().mean())))


class Small(nn.Module):
    channels, strides = (16,), (1,)

    def __init__(self, in_channels, attention):
        super().__init__()
        from foveate.plugins.blocks import create_slot
        self.convolution = nn.Conv2d(in_channels, 16, 3, padding=1)
        self.slot = create_slot((attention or {}).get("stage"), 16)

    def forward(self, image):
        return (self.slot(self.convolution(image).relu()),)


class Line(nn.Module):
    stride = 1

    def __init__(self, channels, num_classes):
        super().__init__()
        self.classify = nn.Conv2d(channels, num_classes, 1)

    def forward(self, features):
        return self.classify(features[-1])


@hookimpl
def foveate_encoders():
    def build(name, *, in_channels=3, attention=None):
        return Small(in_channels, attention)

    yield Encoder(name="small", summary="Small", build=build)


@hookimpl
def foveate_decoders():
    def build(name, *, in_channels, strides, num_classes, attention=None):
        return Line(in_channels[-1], num_classes)

    yield Decoder(name="line", summary="A 1 x 1 convolution", build=build)


@hookimpl
def foveate_blocks():
    for name, build in (("leak", Leak), ("noise", Noise), ("same", nn.Identity)):
        yield Block(name=name, summary=name, kind="3-D", build=lambda channels, _build=build: _build())
'''


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command on 10 and 12 small images, without the blocks."""
    monkeypatch.setattr(manager, "_installed", None)
    for name in ("training_step", "validation_step"):
        from foveate.pipeline.segmentation import SegmentationTask

        monkeypatch.setattr(SegmentationTask, name, getattr(SegmentationTask, name))
    monkeypatch.chdir(tmp_path)
    Path("made_up_planted.py").write_text(PLANTED)
    root = write_images(tmp_path / "data", {"train": 10, "val": 12})
    own = [
        word for word in COMMON if not word.startswith(("--config", "--pictures", "--trainer.check", "--trainer.val"))
    ]
    fast = ["--steps=20", "--rounds=1", "--field=0", "--seeds=3", "--slot=stage", "--plugins=made_up_planted"]
    parts = ["--model.network=small+line", f"--data.root={root}", "--data.num_workers=0", "--model.attention={}"]
    return ["compare", "folder_segnext_t", *fast, *own, *parts, "--model.optimizer.lr=0.03"]


def test_what_is_planted_is_said_and_no_more(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--blocks=none,leak,noise,same", "--detect=5", "--max_seeds=12"]) == 0, capsys.readouterr()
    said = capsys.readouterr().out
    out = Path("comparisons/folder_segnext_t-stage")
    verdicts = json.loads((out / "verdicts.json").read_text())
    assert {label: verdict["known"] for label, verdict in verdicts.items()} == {
        "leak": "better",
        "noise": "worse",
        "same": "no such difference",
    }, said
    assert verdicts["same"]["difference"] == 0
    assert "leak is better than none: +" in said
    assert "same and none do not differ by 5 points" in (out / "comparison.md").read_text()
    assert "ended: every block is known" in said


def test_a_comparison_that_was_stopped_by_its_budget_goes_on(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--blocks=none,leak", "--detect=5", "--budget=0.001s"]) == 0, capsys.readouterr()
    said = capsys.readouterr().out
    assert "ended: the budget of 0.001 s is spent" in said
    assert "leak: not known: " in said
    before = len(os.listdir("comparisons/folder_segnext_t-stage/cells"))
    assert main([*words, "--blocks=none,leak", "--detect=5"]) == 0
    assert "leak is better than none" in capsys.readouterr().out
    assert len(os.listdir("comparisons/folder_segnext_t-stage/cells")) > before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--budget=3h"], "--budget needs --detect POINTS"),
        (["--detect=0"], "--detect 0: accepted: points above 0"),
        (["--detect=1", "--budget=soon"], "a time is a number with a unit"),
        (["--detect=1", "--max_seeds=2"], "--max_seeds 2 is less than the first seeds, --seeds 3"),
        (["--detect=1", "--blocks=none"], "name two blocks or more"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    flags: list[str], message: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--blocks=none,leak", *flags]) == 2
    assert message in capsys.readouterr().err
