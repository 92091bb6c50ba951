"""Trainings whose weights are themselves of another precision than float32, from the first step to a prediction."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from foveate.cli import main
from foveate.pipeline.losses import create_loss

PRECISIONS = {"bf16-true": torch.bfloat16, "16-true": torch.float16, "64-true": torch.float64}
ONE = "--trainer.limit_val_batches=1"
STEPS = ["--trainer.max_steps=2", "--trainer.val_check_interval=2", "--trainer.enable_progress_bar=false", ONE]
# Not in 16-true, which does not scale losses: gradients of the sum overflow float16 in the backward pass.
LOSSES = "[cross_entropy, {name: ohem, min_kept: 10}, focal, dice, lovasz, jaccard, binary_cross_entropy]"
CLASSIFIERS = {
    "mobilenet_v2_050": [],
    "vit_ti": ["--model.network_options={patch_size: 4, image_size: 16}", "--model.mixing={mixup: 0.8, cutmix: 1.0}"],
    "mscan_t": ["--model.attention={gate@2: hamburger}", "--data.image_size=32"],
    "van_b0": ["--model.attention={stage@2: [deformable, stn, self_attention]}", "--data.image_size=32"],
}
SEGMENTERS = {
    "segnext_t": ["--model.attention={gate: msca}"],
    "mobilenet_v2_050+light_ham": [f"--model.loss={LOSSES}"],
    "timm:resnet10t+smp:Unet": ["--model.loss={name: cross_entropy, class_weights: inverse_sqrt}"],
}


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def train_and_use(words: list[str], precision: str, images: Path) -> None:
    """Train two steps, go on to a third, score the weights, and predict."""
    assert main(["fit", *words, *STEPS, f"--trainer.precision={precision}"]) == 0
    stored = torch.load("runs/latest/checkpoints/last.ckpt", weights_only=True)
    trained = stored.get("current_model_state") or stored["state_dict"]  # the second is a float32 average with ema
    kinds = {value.dtype for name, value in trained.items() if name.endswith("weight")}
    assert kinds == {PRECISIONS[precision]}
    assert main(["fit", "--ckpt_path=last", "--trainer.max_steps=3"]) == 0
    assert main(["validate", "--ckpt_path=last", ONE]) == 0
    assert main(["predict", "--ckpt_path=last", f"--data.images={images}", "--out=predicted"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("network", SEGMENTERS)
def test_segmenters(network: str, precision: str, cityscapes_root: Path) -> None:
    own = [] if (network, precision) == ("mobilenet_v2_050+light_ham", "16-true") else SEGMENTERS[network]
    options = ["--model.network", network, "--model.network_options={}", "--model.attention={}", *own]
    data = ["--data.root", str(cityscapes_root), "--data.batch_size=2", "--data.crop=[64,64]", "--data.num_workers=0"]
    words = ["--config", "synthetic_segnext_t", *options, *data]
    train_and_use(words, precision, cityscapes_root / "leftImg8bit" / "val")


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("network", CLASSIFIERS)
def test_classifiers(network: str, precision: str, cityscapes_root: Path) -> None:
    options = ["--model.network", network, "--model.network_options={}", *CLASSIFIERS[network]]
    words = ["--config", "digits_vit_ti", *options, "--data.batch_size=8", "--data.num_workers=0"]
    train_and_use(words, precision, cityscapes_root / "leftImg8bit" / "val")


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bf16-true", "64-true"])
def test_averaged_weights(precision: str, cityscapes_root: Path) -> None:
    words = ["--config", "digits_mobilenet_v2", "--data.batch_size=8", "--data.num_workers=0", "--model.ema=0.9"]
    train_and_use(words, precision, cityscapes_root / "leftImg8bit" / "val")


def test_an_average_in_16_bits_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--config", "digits_mobilenet_v2", "--data.num_workers=0", "--model.ema=0.9", *STEPS]
    assert main(["fit", *words, "--trainer.precision=16-true"]) == 2
    assert "ema does not go with --trainer.precision 16-true (accepted: 16-mixed, bf16-true)" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["cross_entropy", "focal", "lovasz", "ohem", "binary_cross_entropy"])
def test_class_weights_keep_their_precision(name: str) -> None:
    loss = create_loss({"name": name, "class_weights": [0.4363, 1.0]}, 2)
    for part in (loss.to(torch.bfloat16), loss.half(), loss.double()):
        assert [round(weight, 4) for weight in part.weights.tolist()] == [0.4363, 1.0]
        assert part.weights.dtype == torch.float32
