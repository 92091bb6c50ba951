"""A segmentation fit that stops anywhere in an epoch, and goes on with the same crops in the same batches."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from foveate.datasets.cityscapes import CityscapesDataModule

STEPS = 3  # of an epoch: six images, two at a time


class Recorder(L.LightningModule):
    """Keeps a print of each batch that it has learnt from, in its checkpoint too."""

    def __init__(self, fail_at: int | None = None) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.seen: list[str] = []
        self.fail_at = fail_at

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        if self.global_step == self.fail_at:
            raise RuntimeError("made up")
        pixels = b"".join(batch[name].contiguous().numpy().tobytes() for name in ("image", "mask"))
        self.seen.append(hashlib.sha256(pixels + repr(batch["path"]).encode()).hexdigest())
        return self.layer(batch["image"][:, :1, :1, :1].float() / 255).sum()

    def validation_step(self, batch: Any, batch_idx: int) -> None: ...

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 1e-3)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["seen"] = list(self.seen)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.seen = checkpoint["seen"]


def fit(folder: Path, root: Path, model: Recorder, ckpt: Path | None = None, workers: int = 0) -> list[str]:
    saving = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=1, save_top_k=-1, save_on_exception=True)
    trainer = L.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, callbacks=[saving], enable_progress_bar=False,
        enable_model_summary=False, limit_val_batches=0,
    )  # fmt: skip
    data = CityscapesDataModule(str(root), crop=(32, 48), batch_size=2, num_workers=workers, seed=5)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`isinstance.treespec, LeafSpec", FutureWarning)  # Lightning's, of torch
        warnings.filterwarnings("ignore", "The dirpath has changed", UserWarning)
        trainer.fit(model, data, ckpt_path=ckpt)
    return model.seen


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # where there is one core
@pytest.mark.parametrize("workers", [0, 2])
def test_a_fit_resumed_after_any_step_sees_the_same_crops_in_the_same_batches(
    cityscapes_root: Path, tmp_path: Path, workers: int
) -> None:
    whole = fit(tmp_path / "whole", cityscapes_root, Recorder(), workers=workers)
    assert len(set(whole)) == 2 * STEPS  # no crop twice
    for step in range(1, 2 * STEPS):
        saved = tmp_path / "whole" / f"step={step}.ckpt"
        resumed = fit(tmp_path / f"from_{step}", cityscapes_root, Recorder(), saved, workers)
        assert resumed == whole, f"after step {step}"


def test_a_step_that_an_error_stopped_is_learnt_from_after_resuming(cityscapes_root: Path, tmp_path: Path) -> None:
    whole = fit(tmp_path / "whole", cityscapes_root, Recorder())
    with pytest.raises(RuntimeError, match="made up"):
        fit(tmp_path / "failed", cityscapes_root, Recorder(fail_at=1))
    saved = max((tmp_path / "failed").glob("*.ckpt"), key=lambda path: path.stat().st_mtime_ns)
    assert fit(tmp_path / "rest", cityscapes_root, Recorder(), saved) == whole
