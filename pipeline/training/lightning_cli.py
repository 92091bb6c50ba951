"""Builds task, data and trainer of a request with LightningCLI."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import torch
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import Logger
from lightning.pytorch.profilers import Profiler
from lightning.pytorch.strategies import Strategy

from foveate.datasets.doctor.preflight import look_before_training
from foveate.pipeline.callbacks.dry_run import DRY_STEPS, DryRun
from foveate.pipeline.callbacks.progress import create_progress
from foveate.pipeline.callbacks.wandb_reporter import known_run
from foveate.pipeline.command_line import OneLineErrors, helped_by, shorten
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.loggers.csv import CsvLog
from foveate.pipeline.loggers.guarded import GuardedLogger
from foveate.pipeline.loggers.wandb import WandbLogger
from foveate.pipeline.losses.class_weights import methods_in
from foveate.pipeline.models import PLUS
from foveate.pipeline.notes import note
from foveate.pipeline.optimisation.freezing import learns_later
from foveate.pipeline.processes.launchers import agree_on_run
from foveate.pipeline.processes.peers import forget_failures
from foveate.pipeline.processes.sharded_strategy import register
from foveate.pipeline.processes.trainer_signals import leave_signals_to_us
from foveate.pipeline.runs.checkpoint_io import AtomicCheckpointIO
from foveate.pipeline.runs.circumstances import (
    Circumstances,
    describe_circumstances,
    foreign_modules,
)
from foveate.pipeline.runs.class_paths import import_only_ours
from foveate.pipeline.runs.data_sets import check_data_set
from foveate.pipeline.runs.directories import CHECKPOINTS, RUNS, choose_run, global_rank, hand_on
from foveate.pipeline.runs.lock import RunLock
from foveate.pipeline.runs.output_names import check_output_names
from foveate.pipeline.runs.recipes import PLUGINS, Recipe, dump_recipe
from foveate.pipeline.runs.remembered import remember, trusted_modules
from foveate.pipeline.runs.store import sweep
from foveate.pipeline.runs.unfinished import mark_begun
from foveate.pipeline.training.batches import settle_batches
from foveate.pipeline.training.building import (
    beside_ours,
    check_monitors,
    explain_constructors,
    explained,
    name_devices,
)
from foveate.pipeline.training.devices import adapt_to_launcher, count_processes, settle_sharding
from foveate.pipeline.training.flags import value_of
from foveate.pipeline.training.number_types import prefer_int
from foveate.pipeline.training.preflight import check_disk, check_shared_memory, sample_bytes
from foveate.pipeline.training.request import Request
from foveate.pipeline.training.run_callbacks import create_callbacks
from foveate.pipeline.training.run_options import add_run_options
from foveate.pipeline.usual_options import COMMON, OPTIONS

TRAINER_DEFAULTS = {"log_every_n_steps": 20, "enable_model_summary": False}


CLASSES: dict[str, type] = {  # option -> what its classes derive from
    "model": L.LightningModule,
    "data": L.LightningDataModule,
    "trainer.callbacks": L.Callback,
    "trainer.logger": Logger,
    "trainer.strategy": Strategy,
    "trainer.profiler": Profiler,
}


class RecipeParser(OneLineErrors, LightningArgumentParser):
    """The parser of recipes and flags; its errors are one line with a hint."""

    def add_lightning_class_args(self, lightning_class: Any, *args: Any, **kwargs: Any) -> Any:
        """Add the arguments of a class, whole numbers before others (see `prefer_int`).

        Args:
            lightning_class: A class, or a function that makes one.
            *args: As Lightning takes them.
            **kwargs: As Lightning takes them.
        """
        prefer_int(getattr(lightning_class, "__init__", lightning_class))
        return super().add_lightning_class_args(lightning_class, *args, **kwargs)

    def known_options(self) -> list[str]:
        """Every option; of the outer parser also those removed before parsing and the common ones of tasks and data."""
        own = super().known_options()
        if "--trainer" not in own:  # of a nested class
            return own
        usual = [option.split()[0] for options in (COMMON, *OPTIONS.values()) for option, _ in options]
        return [*dict.fromkeys([*usual, *own])]

    def known_classes(self, option: str) -> list[str]:
        """Names of the imported classes that an option takes, such as every callback for trainer.callbacks.

        Args:
            option: Its name without hyphens.
        """
        return sorted({kind.__name__ for kind in _below(CLASSES[option])}) if option in CLASSES else []


def _below(kind: type) -> Iterator[type]:
    """The subclasses of a class, however deep, without private ones."""
    children: list[type] = kind.__subclasses__()
    for child in children:
        if not child.__name__.startswith("_"):
            yield child
        yield from _below(child)


def channels_of(data: Any) -> int:
    """Channels of the images of a data module; 3 where it does not say.

    Args:
        data: Any data module.
    """
    try:
        return int(getattr(data, "in_channels", 3))
    except Exception as error:
        if not hasattr(error, "exit_code"):
            raise
        return 3  # the same is raised again where the data are set up, and the parser would hide it


class FoveateCLI(LightningCLI):
    """Builds task, data and trainer of a request; the caller runs them.

    Args:
        request: The command line, taken apart.
        checkpoint: The content of the request's checkpoint, if there is one.
    """

    def __init__(self, request: Request, checkpoint: Mapping[str, Any] | None = None) -> None:
        self.request = request
        self.checkpoint = checkpoint or {}
        self.run_dir: Path | None = None
        quiet()
        register()
        explain_constructors()
        check_data_set(str(value_of(request.flags, "--data") or request.recipe.get("data", {}).get("class_path")))
        flags = ["--config", dump_recipe(request.recipe), *request.flags]
        self.gate = partial(import_only_ours, trusted_modules(request.modules))
        with self.gate(), helped_by(f"foveate {request.command} --help-all"):
            super().__init__(
                save_config_callback=None,
                trainer_defaults=TRAINER_DEFAULTS,
                seed_everything_default=0,
                parser_class=RecipeParser,
                parser_kwargs={"prog": f"foveate {request.command}"},
                subclass_mode_model=True,
                subclass_mode_data=True,
                args=flags,
                run=False,
                auto_configure_optimizers=False,
                load_from_checkpoint_support=False,
            )

    def add_arguments_to_parser(self, parser: RecipeParser) -> None:  # type: ignore[override]
        """Take the classes, and so the number of outputs, from the data."""
        if self.request.command != "predict":
            parser.link_arguments("data.label_set", "model.init_args.labels", apply_on="instantiate")
            parser.link_arguments("data", "model.init_args.in_channels", channels_of, apply_on="instantiate")
        else:
            parser.add_argument("--out", type=str, default="predictions", help="Folder to write to.")
        add_run_options(parser)

    def parse_arguments(self, parser: Any, args: Any) -> None:
        """Parse the request's flags; `sys.argv` holds them in another order, so Lightning's warning would be wrong."""
        try:
            self.config = name_devices(parser.parse_args(args))
        except (TypeError, ValueError, KeyError) as error:
            raise ConfigError(shorten(str(error), parser.known_options(), parser.help_command)) from error

    def before_instantiate_classes(self) -> None:
        """Change settings that this machine does not support, and say so."""
        adapt_to_launcher(self.config.trainer)
        adapt_to_machine(self.config.trainer)
        if self.request.dry_run:
            self.config.trainer.fast_dev_run = DRY_STEPS
        settle_sharding(self.config.trainer, trains=self.request.command == "fit")
        task = self.config.model.init_args
        allow_idle_weights(self.config.trainer, task.network, learns_later(task.get("freeze")))

    def choose_directory(self) -> None:
        """Create the run directory once data and weights were found; a resumed run keeps its own.

        Class weights that come from the data are computed before, so that the run's recipe holds the numbers.
        """
        if self.request.command != "fit":
            return
        if not self.config.trainer.fast_dev_run:
            self.datamodule.setup("fit")
        warn_of_data(self.datamodule)
        if self.config.trainer.fast_dev_run:
            return
        if self.request.checkpoint is None:
            self.model.load_initial_weights()
            self.model.take_statistics(self.datamodule)
        self.model.weigh_classes(self.datamodule)
        root = Path(self.config.trainer.default_root_dir or RUNS)
        self.run_dir = agree_on_run(lambda: self.request.run or choose_run(root, self.request.name))
        if global_rank() == 0:
            hand_on(self.run_dir)
            RunLock(self.run_dir).take()
            forget_failures(self.run_dir)
            sweep(self.run_dir, self.run_dir / CHECKPOINTS)
            for line in [
                *check_disk(self.run_dir, self.model),
                *check_shared_memory(self.datamodule, sample_bytes(self.datamodule)),
            ]:
                print(f"foveate: warning: {line}", file=sys.stderr, flush=True)
            mark_begun(self.run_dir)

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        """The trainer of the recipe, with our progress, logs and checkpoints."""
        self.model.take_class_weights(self.checkpoint.get("hyper_parameters") or {})
        self.choose_directory()
        settings = self.config_init.trainer
        if self.request.command == "fit":
            self.settle_batches(settings)
        loggers = _loggers(settings.logger, self.run_dir, known_run(self.checkpoint))
        callbacks = self.own_callbacks(settings)
        if settings.enable_progress_bar is not False:
            callbacks.append(create_progress())
        given = settings.callbacks or []
        own = beside_ours(given if isinstance(given, list) else [given], callbacks)
        check_output_names([*loggers, *own])
        plugins = settings.plugins or [AtomicCheckpointIO()]
        ours = {"logger": loggers, "callbacks": own, "plugins": plugins}
        with explained("trainer"):
            trainer: L.Trainer = self.trainer_class(**{**settings, **ours, **kwargs})
        leave_signals_to_us(trainer)
        if self.request.command == "fit":
            check_monitors(trainer, self.model)
        return trainer

    def settle_batches(self, settings: Any) -> None:
        """Choose batch and accumulation where the recipe leaves them open, and say what was chosen.

        Args:
            settings: Of the trainer; the accumulation is set in them.
        """
        if getattr(self.datamodule, "waits_for_batch_size", False):
            self.datamodule.setup("fit")
        flags = self.request.flags
        for line in settle_batches(self.model, self.datamodule, settings, self.request.recipe, flags):
            if global_rank() == 0:
                note(line)

    def own_callbacks(self, settings: Any) -> list[L.Callback]:
        """What a training does beside its steps, in the order in which it is called.

        Args:
            settings: Of the trainer.
        """
        run = self.run_dir
        if self.request.dry_run:
            return [DryRun()]
        if run is None:
            return []
        saves = settings.enable_checkpointing is not False
        return create_callbacks(run, self.model, self.datamodule, self.resolved_recipe(), self.config_init, saves=saves)

    def circumstances(self) -> Circumstances:
        """What decides the numbers of this training besides its recipe, and the recipe."""
        callbacks: Sequence[object] = self.trainer.callbacks  # type: ignore[attr-defined]  # its class does not declare it
        parts = [*self.model.modules(), self.datamodule, *callbacks]
        return describe_circumstances(
            self.resolved_recipe(),
            modules=foreign_modules(parts),
            data=self.datamodule,
            processes=self.trainer.world_size,
        )

    def resolved_recipe(self) -> Recipe:
        """The recipe with all defaults and flags filled in, but without the labels, which come from the data."""
        with self.gate():
            self._dump_config()
        recipe: Recipe = dict(self.config_dump)
        recipe.pop("config", None)
        arguments = recipe["model"].get("init_args", {})
        arguments.pop("labels", None)
        arguments.pop("in_channels", None)
        if self.model.hparams.get("network_options"):  # with a rank that the weights brought
            arguments["network_options"] = self.model.hparams["network_options"]
        recipe["data"]["init_args"] |= getattr(self.datamodule, "settled", dict)()
        if "total_batch" in recipe["data"]["init_args"]:
            recipe["data"]["init_args"]["batch_size"] = self.datamodule.batch_size
            recipe["trainer"]["accumulate_grad_batches"] = self.config_init.trainer.accumulate_grad_batches
            arguments["optimizer"] = {**(arguments.get("optimizer") or {}), "lr": self.model.optimizer_config.lr}
        if methods_in(arguments.get("loss")):  # by now the numbers are known
            arguments["loss"] = self.model.hparams["loss"]
        if self.request.modules:
            recipe[PLUGINS] = remember(self.request.modules)
        return recipe


def warn_of_data(data: object) -> None:
    """Look at a sample of the files in the first process, and print what may spoil a training.

    Args:
        data: The data module.

    Raises:
        DataError: Something would spoil the training.
    """
    if global_rank() == 0:
        for line in look_before_training(data):
            print(f"foveate: warning: {line}", file=sys.stderr, flush=True)


def _loggers(given: Any, run_dir: Path | None, known: str | None) -> list[Logger]:
    """The local log first, then what the recipe asks for."""
    if run_dir is None:
        return []
    asked = given if isinstance(given, list) else [given] if isinstance(given, Logger) else []
    for logger in asked:
        if isinstance(logger, WandbLogger):
            logger.settle_in(run_dir, known)
        elif isinstance(logger, GuardedLogger):
            logger.settle_in(run_dir)
    return [CsvLog(run_dir), *asked]


def adapt_to_machine(trainer: Any) -> None:
    """Change settings that this machine does not support, and say so."""
    on_cpu = trainer.accelerator == "cpu" or (trainer.accelerator == "auto" and not torch.cuda.is_available())
    if not on_cpu:
        return
    if trainer.sync_batchnorm:
        trainer.sync_batchnorm = False  # torch supports it on CUDA only; each process keeps its own statistics
        _note(trainer, "batch norm is not synchronised between processes on a CPU")
    if trainer.precision in ("16-mixed", "16", 16):
        trainer.precision = "bf16-mixed"
        _note(trainer, "16-mixed needs a GPU: training with bf16-mixed instead")


def allow_idle_weights(trainer: Any, network: str, later: bool = False) -> None:
    """Choose a DDP strategy that allows parameters without a gradient, if the recipe chose no strategy.

    A decoder may not use all features of an encoder; parameters that only affect unused features get no gradient, and
    neither do parameters that are frozen until a step (`later`).
    """
    if count_processes(trainer) > 1 and (PLUS in network or later) and trainer.strategy in ("auto", "ddp"):
        trainer.strategy = "ddp_find_unused_parameters_true"


def _note(trainer: Any, message: str) -> None:
    if global_rank() == 0 and (trainer.devices not in ("auto", 1, "1") or "batch norm" not in message):
        print(f"foveate: {message}", file=sys.stderr, flush=True)


def quiet() -> None:
    """Filter warnings of Lightning and other libraries that appear at every start and need no action."""
    for name in (
        "lightning.pytorch.utilities.rank_zero",
        "lightning.fabric.utilities.seed",
        "lightning.fabric.utilities.distributed",
        "lightning.pytorch",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        r".*isinstance\(treespec, LeafSpec\).*",  # inside Lightning, with torch 2.14
        r".*does not have many workers.*",  # the number is a setting of the data module
        r".*Checkpoint directory .* exists and is not empty.*",  # a resumed run
        r".*is smaller than the logging interval.*",  # short runs are fine
        r".*ended before the epoch ended.*",  # a resumed run restarts its epoch
        r".*GPU available but not used.*",  # who has one asked for the CPU
        r".*Grad strides do not match bucket view strides.*",  # layouts of depthwise weights between processes
    ):
        warnings.filterwarnings("ignore", message=message)
    # Lightning 2.6 calls jsonargparse by names that go with its version 5
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"lightning\.pytorch\.cli")


def print_full_help(command: str) -> None:
    """Every option, also those of the tasks and data modules."""
    parser = RecipeParser(prog=f"foveate {command}", description=f"{command}: every option")
    parser.add_lightning_class_args(L.Trainer, "trainer")
    parser.add_lightning_class_args(L.LightningModule, "model", subclass_mode=True)
    parser.add_lightning_class_args(L.LightningDataModule, "data", subclass_mode=True)
    add_run_options(parser)
    parser.print_help()
