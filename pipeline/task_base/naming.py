"""Which part of a task failed: errors name the network's, the loss's or the metric's package."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import lightning.pytorch as L
from torch import Tensor

from foveate.pipeline import provenance
from foveate.pipeline.failures import check_logits, named_failures
from foveate.plugins.errors import PluginError
from foveate.plugins.guard import named_backward

REPORTING = ("loss ", "metric ")  # prefixes, in a provenance, of what is not part of the network


class NamedTask(L.LightningModule):
    """Base class of tasks: knows which package each part comes from, and names the part that fails.

    Attributes:
        num_classes: Number of classes.
    """

    num_classes: int

    def __init__(self) -> None:
        super().__init__()
        self._provenance: provenance.Provenance | None = None

    def checked(self, logits: object, images: int, size: Sequence[int | None] = ()) -> Tensor:
        """Logits, after a look at their shape.

        Args:
            logits: What the network gave.
            images: How many images it was given.
            size: Height and width that the logits of a segmenter must have; None for any.

        Raises:
            PluginError: They have another shape; the channels must be as many as the classes.
        """
        return check_logits(logits, (images, self.num_classes, *size), self.hparams["network"])

    def named_network(self) -> AbstractContextManager[None]:
        """A context manager in which errors of the network name the part that failed."""
        parts = {label: given for label, given in self._providers().items() if not label.startswith(REPORTING)}
        return named_failures(self.hparams["network"], parts)

    def named_step(self) -> AbstractContextManager[None]:
        """The same for all that takes part in a training step: network and loss."""
        parts = {label: given for label, given in self._providers().items() if not label.startswith("metric ")}
        return named_failures(self.hparams["network"], parts)

    def named_part(self, kind: str) -> AbstractContextManager[None]:
        """The same for a loss or a metric."""
        return named_failures(kind, {k: given for k, given in self._providers().items() if k.startswith(f"{kind} ")})

    def _providers(self) -> provenance.Provenance:
        if self._provenance is None:
            try:
                self._provenance = self._record_providers()
            except PluginError:  # parts that were passed as objects
                self._provenance = {}
        return self._provenance

    def _record_providers(self) -> provenance.Provenance:
        return provenance.record_providers(
            self.hparams["attention"],
            network=self.hparams["network"],
            losses=self.hparams["loss"],
            metrics=self.hparams["metrics"],
        )

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """The backward pass; the part that fails in it is named."""
        with self.named_step(), named_backward():
            super().backward(loss, *args, **kwargs)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Record which plugins the network, losses and metrics come from."""
        checkpoint[provenance.KEY] = self._record_providers()
