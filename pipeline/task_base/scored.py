"""The scores of an evaluation: the mean loss, a recipe's metrics, and a record of each image."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from jaxtyping import Float
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn
from torchmetrics import Metric

from foveate.pipeline.metrics.mean import MeanLoss
from foveate.pipeline.metrics.pixels import Pixels, SharedMetric
from foveate.pipeline.metrics.report import Report, add_intervals, extend_report
from foveate.pipeline.metrics.tables import FigureTable, HasTables
from foveate.pipeline.per_image.figures import intervals_of
from foveate.pipeline.per_image.gathering import create_record
from foveate.pipeline.per_image.record import Record
from foveate.pipeline.per_image.rows import ImageRows
from foveate.pipeline.task_base.data_driven import DataDrivenTask


class ScoredTask(DataDrivenTask):
    """Base class of tasks: counts what an evaluation shows, logs it, and reports it with intervals.

    Attributes:
        reported: The recipe's metrics by their names in a log.
        figures: Their values at the last evaluation.
        tables: Their tables at the last evaluation.
        mean_loss: The mean loss of an evaluation.
        rows: What an evaluation saw of each image of this process.
        record: The same of all images, after an evaluation and in the first process.
    """

    reported: nn.ModuleDict

    def __init__(self) -> None:
        super().__init__()
        self.figures: dict[str, float] = {}
        self.tables: list[FigureTable] = []
        self.mean_loss = MeanLoss()
        self.rows = ImageRows()
        self.record: Record | None = None
        self._intervals: dict[str, Any] | None = None

    def report_of_scores(self) -> Report | None:
        """The scores of the last evaluation as a table and as figures; None before the first."""
        raise NotImplementedError

    def with_intervals(self, report: Report) -> Report:
        """A report with the 95 % intervals of its figures, computed once for each evaluation; not within a training.

        They take seconds for 50 000 images, so that a training adds them at its end (see `ScoreKeeper`).

        Args:
            report: The scores of the last evaluation.
        """
        if self.record is None or (self._trainer is not None and self._trainer.state.fn == TrainerFn.FITTING):
            return report
        if self._intervals is None:
            self._intervals = intervals_of(self.record)
        return add_intervals(report, self._intervals)

    def extended(self, report: Report) -> Report:
        """A report with the figures and tables of the recipe's metrics.

        Args:
            report: The task's own scores.
        """
        return extend_report(report, self.figures, self.tables)

    def count(
        self, logits: Tensor, labels: Tensor, *, image_by_image: bool = False, pixels: Pixels | None = None
    ) -> Float[Tensor, " parts"]:
        """Update the mean loss and the recipe's metrics with a batch.

        Args:
            logits: Of labelled images; possibly none, since some processes have one image less.
            labels: The labels of these images.
            image_by_image: Compute the loss of each image separately, so that the mean does not depend on which
                images share a batch.
            pixels: The batch as metrics of label maps share it.

        Returns:
            The loss of each image, or of the batch.
        """
        size = 1 if image_by_image else max(1, len(labels))
        losses = self.losses(logits, labels, size)
        for loss, theirs in zip(losses, torch.split(labels, size), strict=False):
            self.mean_loss.update(loss, len(theirs))
        with self.named_part("metric"):
            for metric in self.reported.values() if len(labels) else ():
                assert isinstance(metric, Metric)
                if pixels is not None and isinstance(metric, SharedMetric):
                    metric.update(pixels.logits, pixels.labels, pixels)
                else:
                    metric.update(logits, labels)
        return losses

    def losses(self, logits: Tensor, labels: Tensor, size: int = 1) -> Float[Tensor, " parts"]:
        """The loss of each image, or of each few.

        Args:
            logits: Of labelled images.
            labels: The labels of these images.
            size: How many images share a loss.
        """
        with self.named_part("loss"):
            begins = range(0, len(labels), size)
            found = [self.loss(logits[begin : begin + size], labels[begin : begin + size]) for begin in begins]
            return torch.stack(found) if found else logits.new_zeros(0)

    def on_validation_epoch_start(self) -> None:
        """Reset the scores."""
        self.reset_scores()

    def on_test_epoch_start(self) -> None:
        """Reset the scores."""
        self.reset_scores()

    def on_validation_epoch_end(self) -> None:
        """Log the scores, but not those of Lightning's sanity check before training."""
        if not self.trainer.sanity_checking:
            self.log_scores("val")

    def on_test_epoch_end(self) -> None:
        """Log the scores."""
        self.log_scores("test")

    def reset_scores(self) -> None:
        """Reset the mean loss and the metrics."""
        for metric in (self.mean_loss, *self.reported.values()):
            assert isinstance(metric, Metric)
            metric.reset()
        self.rows.clear()

    def log_scores(self, stage: str) -> None:
        """Log the mean loss and the recipe's metrics, over the images of all processes; keep their record."""
        self.record, self._intervals = create_record(self.rows, self.labels, self.trainer, stage), None
        self.rows.clear()
        with warnings.catch_warnings(), self.named_part("metric"):
            warnings.filterwarnings("ignore", message=".*was called before the ``update`` method")  # no image here
            self.log(f"{stage}/loss", self.mean_loss.compute(), sync_dist=True)
            self.figures, self.tables = {}, []
            for name, metric in self.reported.items():
                assert isinstance(metric, Metric)
                value = torch.as_tensor(metric.compute(), device=self.device)  # some count in main memory
                self.log(f"{stage}/{name}", value, sync_dist=True)
                self.figures[name] = float(value)
                if isinstance(metric, HasTables):
                    with metric.sync_context():  # tables are of the images of all processes, as the scalar is
                        self.tables += metric.tables(list(self.labels.names))
