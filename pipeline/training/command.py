"""fit, validate, test and predict: a recipe and flags become a task, data and a trainer."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.fabric.utilities.exceptions import MisconfigurationException

from foveate.datasets.loading.workers import workers_ended
from foveate.pipeline.answering import answer, kept_free, write_figures
from foveate.pipeline.callbacks.extremes import ExtremeImages
from foveate.pipeline.callbacks.final_validation import validates
from foveate.pipeline.callbacks.wandb_reporter import conclude
from foveate.pipeline.errors import ConfigError, Stopped
from foveate.pipeline.notes import note
from foveate.pipeline.processes.launchers import meet_anew
from foveate.pipeline.processes.peers import watch_children, watch_parent
from foveate.pipeline.processes.sharded_strategy import check_compatible
from foveate.pipeline.processes.signals import deferring
from foveate.pipeline.processes.slurm import requeue_after
from foveate.pipeline.provenance import check_providers
from foveate.pipeline.runs.checkpoints import check_fits, describe_checkpoint, load_into, read_checkpoint
from foveate.pipeline.runs.circumstances import add_part
from foveate.pipeline.runs.directories import (
    CHECKPOINTS,
    global_rank,
    point_latest,
    short,
)
from foveate.pipeline.runs.lock import release_all
from foveate.pipeline.runs.outcome import figures_of_run
from foveate.pipeline.runs.unfinished import mark_finished
from foveate.pipeline.training.dry_run import Trial, measure_trial
from foveate.pipeline.training.exported import stand_in, take_exported_model
from foveate.pipeline.training.flags import value_of
from foveate.pipeline.training.lightning_cli import FoveateCLI
from foveate.pipeline.training.request import Request, root_of
from foveate.pipeline.training.resuming import check_resumable, nothing_left
from foveate.pipeline.weights.factorisation import take_rank


def run(request: Request) -> Path | None:
    """Run a command.

    Args:
        request: The command line, taken apart.

    Returns:
        The run directory of a training; None for other commands, and where there is none.

    Raises:
        ConfigError: Lightning finds at its start that settings contradict each other.
    """
    try:
        with workers_ended():
            if request.command == "fit":
                return _fit_and_answer(request)
            {"validate": evaluate, "test": evaluate, "predict": predict}[request.command](request)
            return None
    except Stopped as stop:
        requeue_after(stop)
        raise
    except MisconfigurationException as error:
        raise ConfigError(f"trainer: {' '.join(str(error).split())}") from error
    finally:
        release_all()


def _fit_and_answer(request: Request) -> Path | None:
    """Train, and write what a training left, or what a trial of it took, as JSON if that is asked for."""
    with kept_free(request.json):
        left = fit(request)
    if request.json is not None and left is not None and global_rank() == 0:
        write_figures(left.as_json() if isinstance(left, Trial) else figures_of_run(left), request.json)
    return left if isinstance(left, Path) else None


def fit(request: Request) -> Path | Trial | None:
    """Train, from scratch or continuing from a checkpoint.

    Args:
        request: The command line, taken apart.

    Returns:
        The run directory; of a dry run what it took; None where there is neither.
    """
    from foveate.pipeline.training.summary import Training, summarise

    checkpoint = read_checkpoint(request.checkpoint) if request.checkpoint else {}
    check_providers(checkpoint)
    meet_anew()
    watch_children()
    watch_parent()
    cli = FoveateCLI(request, checkpoint)
    check_compatible(cli.trainer, cli.model)
    if request.checkpoint:
        check_resumable(checkpoint, request.checkpoint)
        check_fits(cli.model, checkpoint, request.checkpoint)
        if finished := nothing_left(cli.trainer, checkpoint, request.checkpoint):
            print(finished, flush=True)
            if cli.run_dir and global_rank() == 0:
                mark_finished(cli.run_dir)
            return cli.run_dir
        _tell_checkpoint(request.checkpoint, checkpoint)
    _introduce(cli)
    began, first_step = time.monotonic(), int(checkpoint.get("global_step", 0))
    if cli.run_dir and global_rank() == 0:
        add_part(cli.run_dir, cli.circumstances(), first_step)
    with deferring():
        cli.trainer.fit(
            cli.model,
            cli.datamodule,
            ckpt_path=str(request.checkpoint) if request.checkpoint else None,
            weights_only=True,
        )
    if request.dry_run:
        trial = measure_trial(cli, Path(root_of(request.recipe, request.flags)))
        if cli.trainer.is_global_zero:
            print("\n".join(trial.lines()), flush=True)
        return trial
    if cli.run_dir and not cli.trainer.global_step:
        _keep_start(cli, cli.run_dir)
    if cli.trainer.is_global_zero and cli.run_dir:
        mark_finished(cli.run_dir)
        seconds, command = time.monotonic() - began, shlex.join(request.words)
        training = Training(cli.run_dir, cli.resolved_recipe(), command, seconds, first_step)
        summarise(training, cli.model, cli.trainer, page=cli.config.report)
        conclude(cli.trainer, cli.model)
    return cli.run_dir


def _keep_start(cli: FoveateCLI, run: Path) -> None:
    """Save and validate the weights of a training without steps, such as `--trainer.max_steps 0`."""
    if cli.trainer.checkpoint_callbacks:
        cli.trainer.save_checkpoint(run / CHECKPOINTS / "last.ckpt")
        if cli.trainer.is_global_zero:
            point_latest(run)
    if validates(cli.trainer):
        cli.trainer.validate(cli.model, cli.datamodule, verbose=False)


def evaluate(request: Request) -> None:
    """Score the val or test split with the weights of a checkpoint, or with published ones."""
    from foveate.pipeline.training.summary import report_scores

    def find() -> Mapping[str, Any] | None:
        cli, step, weights = evaluated(request)
        if not cli.trainer.is_global_zero:
            return None
        return report_scores(request, cli.model, cli.resolved_recipe(), cli.trainer, step, weights)

    answer(request.json, find)


def evaluated(request: Request) -> tuple[FoveateCLI, int, str | None]:
    """Score a split, and print which weights were used but not their scores.

    Args:
        request: The command line of `validate` or `test`, taken apart.

    Returns:
        Task, data and trainer after the evaluation, the step of the weights, and the published weights, if any.
    """
    from foveate.pipeline.training.evaluation import evaluate_as_trained
    from foveate.pipeline.training.published import published_weights

    if request.model is not None:
        cli = _with_exported(request, request.model)
        _score(cli, request)
        return cli, 0, str(request.model)
    weights = published_weights(request)
    checkpoint = read_checkpoint(request.checkpoint) if request.checkpoint else {}
    check_providers(checkpoint)
    asked, note = evaluate_as_trained(request, checkpoint) if checkpoint else (request, "")
    if note and global_rank() == 0:
        print(f"foveate: {note}", file=sys.stderr, flush=True)
    cli = FoveateCLI(asked, checkpoint)
    take_weights(cli, checkpoint)
    cli.model.use_engine(request.engine)
    _score(cli, request)
    return cli, int(checkpoint.get("global_step", 0)), weights


def _score(cli: FoveateCLI, request: Request) -> None:
    cli.trainer.callbacks.append(ExtremeImages())  # type: ignore[attr-defined]
    getattr(cli.trainer, request.command)(cli.model, cli.datamodule, verbose=False)


def _with_exported(request: Request, model: Path) -> FoveateCLI:
    """Task, data and trainer of a request, in which an exported model is run."""
    cli = FoveateCLI(stand_in(request))
    told = take_exported_model(cli.model, model)
    if global_rank() == 0:
        note(told)
    return cli


def predict(request: Request) -> None:
    """Write predictions for images: label maps, overlays and other files, or a table of classes.

    Args:
        request: The command line, taken apart.
    """
    from foveate.pipeline.training.prediction import tell, write_predictions
    from foveate.pipeline.training.videos import predict_videos, videos_of

    options = request.predicting
    if videos := videos_of(value_of(request.flags, "--data.images")):
        predict_videos(request, videos)
        return
    with kept_free(request.json):
        cli = _predicting(request) if request.model is None else _with_exported(request, request.model)
        summary = write_predictions(cli.trainer, cli.model, cli.datamodule, Path(cli.config.out), options)
    tell(summary, request.json)


def _predicting(request: Request) -> FoveateCLI:
    """Task, data and trainer of a prediction, with the weights of the checkpoint, or with published ones."""
    from foveate.pipeline.training.prediction import prepare
    from foveate.pipeline.training.published import published_weights

    weights = published_weights(request)
    checkpoint = read_checkpoint(request.checkpoint) if request.checkpoint else {}
    check_providers(checkpoint)
    cli = FoveateCLI(prepare(request, checkpoint, weights))
    take_weights(cli, checkpoint)
    cli.model.use_engine(request.engine)
    return cli


def take_weights(cli: FoveateCLI, checkpoint: dict[str, Any]) -> None:
    """Load the weights of the checkpoint, or published ones, which must be complete; print which."""
    if cli.request.checkpoint is not None:
        take_rank(cli.model, checkpoint["state_dict"])
        load_into(cli.model, checkpoint, cli.request.checkpoint)
        _tell_checkpoint(cli.request.checkpoint, checkpoint)
    else:
        cli.model.load_initial_weights(complete=True)


def _tell_checkpoint(path: Path, checkpoint: Mapping[str, Any]) -> None:
    """Print which weights are used."""
    if global_rank() == 0:
        note(f"checkpoint {short(path)}: {describe_checkpoint(checkpoint)}")


def _introduce(cli: FoveateCLI) -> None:
    """Print one line on what is trained and where the run is written."""
    if global_rank() > 0:
        return
    count = sum(p.numel() for p in cli.model.parameters())
    place = f"run directory {short(cli.run_dir)}" if cli.run_dir else "a trial that writes nothing"
    frozen = cli.model.freezing.describe(cli.model.network)
    note(f"{cli.request.name}: {count:,} parameters{frozen}; {place}")
    task = cli.config.model.init_args
    if "weights" in task and task.weights is None and cli.request.name.startswith("cityscapes"):
        note("no --model.weights: the encoder is trained from scratch, the paper's mIoU is out of reach")
