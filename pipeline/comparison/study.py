"""A comparison: one recipe, one or several slots, several blocks and seeds."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as L
from torch import Tensor

from foveate.pipeline.callbacks.progress import create_progress
from foveate.pipeline.comparison.bootstrap import SampleCounts
from foveate.pipeline.comparison.entries import Entry
from foveate.pipeline.comparison.start import DistilledStart
from foveate.pipeline.distillation.run import Distilled
from foveate.pipeline.models import create_model
from foveate.pipeline.runs.recipes import Recipe
from foveate.pipeline.settings_file import settle
from foveate.pipeline.task import VisionTask
from foveate.pipeline.training.lightning_cli import FoveateCLI
from foveate.pipeline.training.request import Request

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Study:
    """The settings that all blocks of a comparison share.

    Attributes:
        name: Name of the recipe.
        recipe: The recipe.
        flags: Flags of the command line that change the recipe, for all blocks.
        slots: The slots that blocks are put into, one at a time.
        steps: Optimiser steps of each training.
        out: Folder of the results.
        group: W&B project to log to; None does not log.
        modules: Modules given with --plugins.
        start: Distils the encoder that each training starts from; None for the weights of the recipe, or none.
    """

    name: str
    recipe: Recipe
    slots: tuple[str, ...]
    steps: int
    out: Path
    flags: list[str] = field(default_factory=list)
    group: str | None = None
    modules: list[str] = field(default_factory=list)
    start: DistilledStart | None = None
    _empty: dict[int, Weights] = field(default_factory=dict, init=False, repr=False, compare=False)

    def begin(self, entry: Entry, seed: int) -> tuple[CellCLI, Distilled | None]:
        """Task, data and trainer of a block and a seed, with the weights that the training starts from.

        They are those of `build`, or an encoder that is distilled from them, or was before.
        """
        cli = self.build(entry, seed)
        if self.start is None:
            return cli, None
        done = self.start.prepare(cli.model, self.out, entry.folder, seed)
        return self.build(entry, seed, done.path), done

    def build(self, entry: Entry, seed: int, weights: Path | None = None) -> CellCLI:
        """Task, data and trainer of a block and a seed; blocks with the same seed share initial weights.

        Args:
            entry: The block.
            seed: The seed.
            weights: Initial weights in place of the recipe's.
        """
        recipe = copy.deepcopy(self.recipe)
        task = recipe["model"].setdefault("init_args", {})
        if entry.slot:
            task["attention"] = {**(task.get("attention") or {}), entry.slot: entry.spec}
        if weights is not None:
            task["weights"] = str(weights)
        folder = self.folder(entry, seed)
        flags = [*self._fixed(recipe), *self.flags, "--seed_everything", str(seed), *self._wandb(entry, seed)]
        cli = CellCLI(Request(command="fit", recipe=recipe, name=folder.name, flags=flags, run=folder))
        share_weights(cli.model, self._shared(cli.model, entry, seed), seed)
        return cli

    def _shared(self, task: VisionTask, entry: Entry, seed: int) -> Weights:
        """Initial weights of the network that all rows have in common; drawn once per seed.

        With one slot it is the network with that slot empty, with several the network of the recipe.
        """
        if seed not in self._empty:
            attention = dict(task.hparams["attention"] or {})
            if len(self.slots) == 1:
                attention[self.slots[0]] = "none"
            elif entry.slot:
                arguments = self.recipe["model"].get("init_args") or {}
                given = arguments.get("attention") or {}
                attention.pop(entry.slot)
                attention |= {entry.slot: given[entry.slot]} if entry.slot in given else {}
            self._empty[seed] = draw_shared(task, attention, seed)
        return self._empty[seed]

    def folder(self, entry: Entry, seed: int) -> Path:
        """Folder of the result of one training."""
        return self.out / "cells" / f"{entry.folder}-{seed}"

    def _fixed(self, recipe: Recipe) -> list[str]:
        """Fixed trainer flags: one device, the number of steps, and one validation at the end."""
        batches = self.steps * int(recipe.get("trainer", {}).get("accumulate_grad_batches") or 1)
        return [
            *("--trainer.max_steps", str(self.steps), "--trainer.max_epochs", "-1"),
            *("--trainer.val_check_interval", str(batches), "--trainer.check_val_every_n_epoch", "null"),
            *(
                "--trainer.num_sanity_val_steps",
                "0",
                "--trainer.devices",
                "1",
                "--trainer.enable_checkpointing",
                "false",
            ),
        ]

    def _wandb(self, entry: Entry, seed: int) -> list[str]:
        if self.group is None:
            return []
        logger = {"name": f"{entry.label}-{seed}", "project": self.group, "group": f"{self.name}-{self.slot}"}
        path = "foveate.pipeline.loggers.wandb.WandbLogger"
        return ["--trainer.logger", json.dumps({"class_path": path, "init_args": logger})]

    @property
    def slot(self) -> str:
        """The slots in a word."""
        return ",".join(self.slots)

    def spelled_out(self, cli: CellCLI) -> Study:
        """The same study with full import paths of task and data, for a process that has not imported them."""
        recipe = copy.deepcopy(self.recipe)
        for part, built in (("model", cli.model), ("data", cli.datamodule)):
            recipe[part]["class_path"] = f"{type(built).__module__}.{type(built).__qualname__}"
        return replace(self, recipe=recipe)

    def settle(self) -> None:
        """Create the folder of the results, or continue in it if it holds a comparison with the same settings.

        Raises:
            ConfigError: The folder holds a comparison with other settings.
        """
        settle(self.out, self._settings(), "a comparison")

    def _settings(self) -> dict[str, Any]:
        return {
            "recipe": self.name,
            "slot": self.slot,
            "steps": self.steps,
            "flags": self.flags,
            "content": self.recipe,
            "start": None if self.start is None else self.start.as_values(),
        }


class CellCLI(FoveateCLI):
    """The command line of one training, which writes no run directory."""

    def choose_directory(self) -> None:
        """Do nothing: the comparison stores the results."""
        self.datamodule.setup("fit")
        self.counts = SampleCounts(len(self.model.labels))

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        """A trainer that collects the counts, with a logger only if one was asked for."""
        self.choose_directory()
        settings = self.config_init.trainer
        logger = settings.logger if not isinstance(settings.logger, bool) else None
        if logger is not None and hasattr(logger, "settle_in") and self.request.run:
            self.request.run.mkdir(parents=True, exist_ok=True)
            logger.settle_in(self.request.run)
        callbacks: list[L.Callback] = [
            self.counts,
            *([create_progress()] if settings.enable_progress_bar is not False else []),
        ]
        trainer: L.Trainer = self.trainer_class(
            **{**settings, "logger": logger or False, "callbacks": callbacks, **kwargs}
        )
        return trainer


def draw_shared(task: VisionTask, attention: Mapping[str, Any], seed: int) -> Weights:
    """The initial weights that a network has with other blocks.

    Args:
        task: The network.
        attention: The other blocks.
        seed: Seed of the random numbers.
    """
    settings = task.hparams
    options: dict[str, Any] = dict(settings["network_options"] or {})
    L.seed_everything(seed, verbose=False)
    empty = create_model(settings["network"], num_classes=len(task.labels), attention=dict(attention), **options)
    return empty.state_dict()


def share_weights(task: VisionTask, shared: Weights, seed: int) -> None:
    """Copy the shared initial weights into a network, then the pretrained weights of the recipe, if any.

    So networks that differ only in a slot start from the same weights, whatever random numbers their blocks draw.

    Args:
        task: The network.
        shared: The weights from `draw_shared`.
        seed: Seed of the random numbers that are drawn afterwards.
    """
    own = task.network.state_dict()
    fitting = {k: v for k, v in shared.items() if k in own and own[k].shape == v.shape}
    task.network.load_state_dict({**own, **fitting})
    task.load_initial_weights()
    L.seed_everything(seed, verbose=False)
