"""A checkpoint with the images of a split, ready to predict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as L
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from foveate.datasets.classification import ClassificationDataModule
from foveate.datasets.errors import DataConfigError
from foveate.datasets.segmentation import SegmentationDataModule
from foveate.pipeline.provenance import check_providers
from foveate.pipeline.runs.checkpoints import read_checkpoint
from foveate.pipeline.segmentation import SegmentationTask
from foveate.pipeline.task import VisionTask
from foveate.pipeline.training.command import take_weights
from foveate.pipeline.training.evaluation import evaluate_as_trained
from foveate.pipeline.training.lightning_cli import FoveateCLI
from foveate.pipeline.training.request import understand

Split = Literal["train", "val"]
EVERY = 2**62  # images


@dataclass(frozen=True, eq=False)
class Opened:
    """A trained network and the images whose labels it is asked about.

    Attributes:
        checkpoint: The file.
        task: The task, in evaluation mode on its device.
        data: The data module.
        dataset: The images of the split as evaluation sees them.
        trainer: Says device and precision.
    """

    checkpoint: Path
    task: VisionTask
    data: Any
    dataset: Any
    trainer: L.Trainer

    @property
    def segments(self) -> bool:
        """Whether pixels are labelled, and not whole images."""
        return isinstance(self.task, SegmentationTask)

    @contextmanager
    def predicting(self) -> Iterator[None]:
        """No gradients, in the precision of the recipe."""
        with torch.inference_mode(), self.trainer.precision_plugin.forward_context():
            yield

    def logits(self, image: UInt8[Tensor, "B C H W"]) -> Float[Tensor, "B K ..."]:
        """What the network says of images in bytes.

        Args:
            image: The images, of one size.
        """
        with self.predicting():
            logits: Tensor = self.task(image.to(self.task.device))
        return logits


def open_checkpoint(which: str, split: Split, flags: Sequence[str] = ()) -> Opened:
    """Build the task and the data of a checkpoint, as `validate` does.

    Args:
        which: A file, `last` or `best`.
        split: train or val.
        flags: Flags of the recipe, which win over the checkpoint's.

    Raises:
        CheckpointError: There is no such checkpoint, or it does not fit.
        DataConfigError: The data set is none of ours.
    """
    request = understand("validate", ["--ckpt_path", which, *flags])
    assert request.checkpoint is not None
    checkpoint = read_checkpoint(request.checkpoint)
    check_providers(checkpoint)
    asked, _ = evaluate_as_trained(request, checkpoint)
    cli = FoveateCLI(asked, checkpoint)
    take_weights(cli, checkpoint)
    task = cli.trainer.precision_plugin.convert_module(cli.model)
    assert isinstance(task, VisionTask)
    task.to(cli.trainer.strategy.root_device).eval()
    return Opened(request.checkpoint, task, cli.datamodule, _as_evaluated(cli.datamodule, split), cli.trainer)


def _as_evaluated(data: object, split: Split) -> Any:
    """The images of a split without augmentation.

    Raises:
        DataConfigError: The data set is none of ours.
    """
    if isinstance(data, SegmentationDataModule):
        data.setup("fit" if split == "train" else "validate")
        return data.samples(split, EVERY)
    if isinstance(data, ClassificationDataModule):
        dataset = copy(data.images_of(split))
        dataset.transform = data.eval_transform
        return dataset
    raise DataConfigError(f"{type(data).__name__} is neither a segmentation nor a classification data set of ours")
