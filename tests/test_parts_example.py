"""examples/parts: one file with an encoder, a decoder, a loss and a metric, through the command."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from foveate.cli import main
from foveate.plugins import manager

WORDS = [
    *("--model.network", "tiny+linear", "--model.loss", "[cross_entropy, {name: brier, weight: 0.5}]"),
    *("--model.metrics", "[calibration_error, {name: top2, top_k: 3}]", "--model.attention", "{}"),
    *("--model.network_options", "null", "--data.batch_size=2", "--data.crop=[32,32]", "--trainer.max_steps=2"),
    *("--trainer.val_check_interval=2", "--trainer.log_every_n_steps=1", "--trainer.accelerator=cpu"),
]


@pytest.fixture
def parts(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Works in a folder that holds the example, with no plugin drawn before."""
    (tmp_path / "my_parts.py").write_text((root / "examples/parts/my_parts.py").read_text())
    monkeypatch.setattr(manager, "_installed", None)
    monkeypatch.chdir(tmp_path)


def test_every_kind_of_record_takes_part_in_a_training(
    parts: None, cityscapes_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["fit", "--config", "synthetic_segnext_t", "--plugins", "my_parts", "--data.root", str(cityscapes_root)]
    assert main([*words, *WORDS]) == 0, capsys.readouterr().err
    with (tmp_path / "runs/latest/metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    last = rows[-1]
    assert 0 <= float(last["val/top2"]) <= 1
    assert 0 <= float(last["val/calibration_error"]) <= 1


def test_a_checkpoint_names_each_part_that_is_missing(
    parts: None, cityscapes_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["fit", "--config", "synthetic_segnext_t", "--plugins", "my_parts", "--data.root", str(cityscapes_root)]
    assert main([*words, *WORDS]) == 0, capsys.readouterr().err
    monkeypatch.setattr(manager, "_installed", None)
    last = Path("runs/latest/checkpoints/last.ckpt").resolve()
    alone = last.rename("alone.ckpt")  # away from its run, no plugin is remembered
    assert main(["validate", "--ckpt_path", str(alone)]) == 5
    assert "needs the encoder 'tiny' of a module that was given on the command line" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["encoders", "decoders", "losses", "metrics"])
def test_each_kind_is_listed_with_its_provider(parts: None, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    names = {"encoders": "tiny", "decoders": "linear", "losses": "brier", "metrics": "top2"}
    assert main(["plugins", "list", "--what", what, "--plugins", "my_parts"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names[what] in listed
    assert len(listed) > 2


def test_a_trace_names_each_call_its_provider_and_time(
    parts: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FOVEATE_TRACE_PLUGINS", raising=False)
    monkeypatch.setenv("FOVEATE_TRACE_PLUGINS", "")
    assert main(["plugins", "list", "--plugins", "my_parts", "--trace-plugins"]) == 0
    trace = [line for line in capsys.readouterr().err.splitlines() if line.startswith("plugins: ")]
    ours = [line for line in trace if "my_parts" in line]
    assert [line.split()[1] for line in ours] == [
        *("import", "foveate_encoders", "foveate_decoders", "foveate_losses", "foveate_metrics")
    ]
    assert all(" ms " in line for line in trace)
    assert "1 offered" in ours[1]
    assert any("foveate_blocks" in line and "foveate " in line for line in trace)
