"""What a task takes from its training data: class weights, and the mean and standard deviation of images."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_only
from torch import nn

from foveate.datasets.classes import ClassSet
from foveate.datasets.labels import LabelSet
from foveate.pipeline.class_statistics import describe_weights, weigh_classes
from foveate.pipeline.losses import RecipeLoss, create_loss
from foveate.pipeline.losses.class_weights import methods_in, weights_in, with_numbers, with_stored
from foveate.pipeline.normalisation import Normalise
from foveate.pipeline.notes import note
from foveate.pipeline.task_base.naming import NamedTask

log = logging.getLogger("foveate")


class DataDrivenTask(NamedTask):
    """Base class of tasks: replaces what a recipe leaves to the data by numbers, which a checkpoint then holds.

    Attributes:
        labels: The classes.
        loss: The loss.
        normalise: Turns bytes into floats.
    """

    labels: LabelSet | ClassSet
    loss: nn.Module
    normalise: Normalise
    _asked_loss: RecipeLoss
    _normalisation_is_settled: bool

    def setup(self, stage: str) -> None:
        """Compute class weights such as `auto` from the data before a training, unless that was done."""
        if stage == "fit":
            self.weigh_classes(getattr(self.trainer, "datamodule", None))
        elif stage != "predict" and (methods := methods_in(self.hparams["loss"])):
            asked = " and ".join(methods)
            told = "class_weights: %s: computed by fit only; the loss of this evaluation is without class weights"
            rank_zero_only(log.warning)(told, asked)

    def weigh_classes(self, data: object) -> None:
        """Replace methods such as `auto` among the loss's class weights by numbers, which a checkpoint then holds.

        A second call does nothing.

        Args:
            data: The data module; it offers `class_statistics()`.

        Raises:
            ConfigError: It does not, or counts other classes.
        """
        if methods := methods_in(self.hparams["loss"]):
            numbers = weigh_classes(methods, data, self.labels)
            self._replace_loss(with_numbers(self.hparams["loss"], numbers))

    def take_class_weights(self, stored: Mapping[str, Any]) -> None:
        """Use a checkpoint's class weights where the recipe asks for a method such as `auto`.

        Weights of another number of classes are left: the checkpoint is of another model, as its tensors tell.

        Args:
            stored: The hyper-parameters in the checkpoint.
        """
        taken = with_stored(self._asked_loss, stored.get("loss"))
        fits = all(len(weights) == self.num_classes for weights in weights_in(taken))
        if fits and taken != self._asked_loss and taken != self.hparams["loss"]:
            for weights in weights_in(taken):
                told = describe_weights(self.labels.names, weights)
                rank_zero_only(note)(f"class weights (of the checkpoint): {told}")
            self._replace_loss(taken)

    def _replace_loss(self, spec: RecipeLoss) -> None:
        self.hparams["loss"] = spec
        self.loss = create_loss(spec, self.num_classes).to(self.device)

    def take_statistics(self, data: object) -> None:
        """Normalise by mean and standard deviation of the training images, unless they are RGB of 8 bits.

        A second call does nothing, and neither does one after a checkpoint was loaded or where the recipe gives a
        normalisation.

        Args:
            data: A data module; one without `image_statistics` changes nothing.
        """
        measure = getattr(data, "image_statistics", None)
        if self._normalisation_is_settled or not callable(measure):
            return
        self._normalisation_is_settled = True
        if (found := measure()) is not None:
            self.normalise.renew(*found)
            mean, std = (", ".join(f"{value:.1f}" for value in values) for values in found)
            rank_zero_only(note)(f"normalisation of training images, in 0-255: mean {mean}; std {std}")
