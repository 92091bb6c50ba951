"""Runs a distillation, or goes on with one, and writes the encoder's weights with what they were made from."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as L
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from foveate.datasets.loading.workers import workers_ended
from foveate.pipeline.callbacks.checkpoints import LastCheckpoint
from foveate.pipeline.callbacks.exact_resume import ExactResume
from foveate.pipeline.callbacks.progress import create_progress
from foveate.pipeline.callbacks.step_boundary import StepBoundary
from foveate.pipeline.callbacks.step_numbers import StepNumbers
from foveate.pipeline.distillation.images import UnlabelledData
from foveate.pipeline.distillation.lesson import Lesson
from foveate.pipeline.distillation.task import DistillationTask
from foveate.pipeline.distillation.teacher import Teacher, digest_of
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.files import replacing
from foveate.pipeline.loggers.csv import CsvLog
from foveate.pipeline.normalisation import MEAN, STD
from foveate.pipeline.notes import note
from foveate.pipeline.processes.signals import deferring
from foveate.pipeline.processes.trainer_signals import leave_signals_to_us
from foveate.pipeline.runs.checkpoint_io import AtomicCheckpointIO
from foveate.pipeline.runs.directories import CHECKPOINTS
from foveate.pipeline.runs.lock import RunLock
from foveate.pipeline.runs.store import newest_good
from foveate.pipeline.settings_file import settle
from foveate.pipeline.training.lightning_cli import quiet
from foveate.pipeline.weights.blocks_inside import KEY as BLOCKS
from foveate.pipeline.weights.blocks_inside import blocks_in

METHOD = 1  # version of the method; results of another are made again
DISTILLED = "distilled"  # key of the metadata
ELSEWHERE = ("teacher", "teacher_weights", "data", "num_workers")  # options that are hashed, or change no number
MINUTES = 10.0  # between two checkpoints


@dataclass(frozen=True)
class Student:
    """The encoder that learns, and what it is built from.

    Attributes:
        encoder: With its initial weights.
        network: Name of the network.
        attention: Blocks in its slots.
        options: Other options of the network.
    """

    encoder: nn.Module
    network: str
    attention: Mapping[str, Any] | None
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Distilled:
    """Weights that a distillation wrote.

    Attributes:
        path: The file.
        similarity: Mean cosine similarity of the feature maps at the end, from -1 to 1.
        seconds: Time that it took.
        settings: A hash of all that decides the weights.
    """

    path: Path
    similarity: float
    seconds: float
    settings: str


def settings_of(student: Student, teacher: Teacher, data: UnlabelledData, lesson: Lesson) -> dict[str, Any]:
    """Everything that decides the resulting weights; images and teacher by a hash, wherever they lie.

    Args:
        student: With its initial weights.
        teacher: The teacher.
        data: The images; its seed decides order and crops.
        lesson: Budget of the distillation.
    """
    budget = {one.name: getattr(lesson, one.name) for one in fields(Lesson) if one.name not in ELSEWHERE}
    return {
        "method": METHOD,
        "network": student.network,
        "options": dict(student.options),
        "blocks": blocks_in(student.encoder),
        "start": digest_of(student.encoder.state_dict())[:16],
        "teacher": teacher.digest[:16],
        "images": data.digest()[:16],
        "seed": data.seed,
        **budget,
    }


def hash_of(settings: Mapping[str, Any]) -> str:
    """A short hash of plain values.

    Args:
        settings: The values.
    """
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:10]


def distil(
    student: Student, teacher: Teacher, data: UnlabelledData, lesson: Lesson, out: Path, resume: str
) -> Distilled:
    """Train a student's encoder, and write its weights; a finished one is not repeated, an interrupted one goes on.

    Args:
        student: The student; its encoder is trained in place.
        teacher: The teacher.
        data: The images.
        lesson: Budget of the distillation.
        out: File to write, .safetensors. Beside it a folder with log and checkpoint.
        resume: The command that goes on, for messages.

    Raises:
        ConfigError: The file's name has another ending, or it was made by another distillation.
        DivergedError: The loss is not finite.
    """
    if out.suffix != ".safetensors":
        raise ConfigError(f"--out {out}: weights are a .safetensors file")
    settings = settings_of(student, teacher, data, lesson)
    run = run_of(out)
    done = read_distilled(out)
    if out.is_file() and not run.is_dir() and (done is None or done.settings != hash_of(settings)):
        raise ConfigError(f"{out} is there already, and was not made by this distillation; choose another --out")
    settle(run, settings, "a distillation")
    if done is not None:
        note(f"{out}: done before")
        return done
    lock = RunLock(run)
    lock.take()
    try:
        return _train(student, teacher, data, lesson, out, settings, resume)
    finally:
        lock.release()


def run_of(out: Path) -> Path:
    """The folder of log and checkpoint beside a weights file.

    Args:
        out: The weights file.
    """
    return out.with_suffix(".run")


def _train(
    student: Student,
    teacher: Teacher,
    data: UnlabelledData,
    lesson: Lesson,
    out: Path,
    settings: Mapping[str, Any],
    resume: str,
) -> Distilled:
    run = run_of(out)
    quiet()
    task = DistillationTask(student.encoder, teacher, size=lesson.size, lr=lesson.lr)
    trainer = _create_trainer(run, lesson, data.seed, resume)
    found = newest_good(run / CHECKPOINTS) if (run / CHECKPOINTS).is_dir() else None
    checkpoint = None if found is None else str(found)
    module: Any = data  # the trainer asks for more than a distillation does
    clock = Clock(run / "seconds.json")
    with deferring(), workers_ended(), clock:
        trainer.fit(task, datamodule=module, ckpt_path=checkpoint, weights_only=True)
    done = Distilled(out, task.similarity, clock.seconds, hash_of(settings))
    write_distilled(done, student, teacher, data, lesson, settings)
    shutil.rmtree(run / CHECKPOINTS, ignore_errors=True)  # several times the size of the result
    return done


def _create_trainer(run: Path, lesson: Lesson, seed: int, resume: str) -> L.Trainer:
    last = LastCheckpoint(run / CHECKPOINTS, resume)
    trainer = L.Trainer(
        accelerator="auto",
        devices=1,
        precision=lesson.precision,
        max_steps=lesson.steps,
        max_epochs=-1,
        logger=CsvLog(run),
        callbacks=[
            ExactResume(seed),
            StepBoundary(last, every_minutes=MINUTES),
            StepNumbers(),
            last,
            create_progress(),
        ],
        plugins=[AtomicCheckpointIO()],
        log_every_n_steps=min(20, lesson.steps),
        enable_model_summary=False,
    )
    leave_signals_to_us(trainer)
    return trainer


class Clock:
    """Measures time over several runs of a distillation; a file holds what it was before.

    Args:
        path: The file.

    Attributes:
        seconds: The time so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds = 0.0
        with suppress(OSError, ValueError):
            self.seconds = float(json.loads(path.read_text(encoding="utf-8")))

    def __enter__(self) -> Clock:
        self._begun = time.monotonic()
        return self

    def __exit__(self, *error: object) -> None:
        self.seconds += time.monotonic() - self._begun
        with suppress(OSError):
            self.path.write_text(json.dumps(self.seconds), encoding="utf-8")


def write_distilled(
    done: Distilled,
    student: Student,
    teacher: Teacher,
    data: UnlabelledData,
    lesson: Lesson,
    settings: Mapping[str, Any],
) -> None:
    """Write the encoder's weights in our layout, with everything they were made from as metadata.

    Args:
        done: File, similarity and time.
        student: With the trained encoder.
        teacher: The teacher.
        data: The images.
        lesson: Budget of the distillation.
        settings: See `settings_of`.
    """
    made = {
        **settings,
        "teacher": teacher.name,
        "teacher_digest": teacher.digest,
        "images": lesson.data,
        "image_count": len(data.paths),
        "images_digest": data.digest(),
        "similarity": round(done.similarity, 4),
        "seconds": round(done.seconds, 1),
        "settings": done.settings,
    }
    metadata = {
        "format": "pt",
        "layout": "foveate",
        "network": student.network,
        "attention": json.dumps(student.attention),
        "network_options": json.dumps(dict(student.options)),
        "mean": json.dumps(MEAN),
        "std": json.dumps(STD),
        "foveate": version("foveate"),
        BLOCKS: json.dumps(made.pop("blocks")),
        DISTILLED: json.dumps(made),
    }
    state = {f"encoder.{name}": tensor.cpu().contiguous() for name, tensor in student.encoder.state_dict().items()}
    with replacing(done.path) as draft:
        draft.touch()
        usual = draft.stat().st_mode
        save_file(state, draft, metadata)
        draft.chmod(usual)  # safetensors lets nobody else read it


def read_distilled(path: Path) -> Distilled | None:
    """What a distillation reached; None if the file is not there or was not written by one.

    Args:
        path: The weights file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            made = json.loads((file.metadata() or {})[DISTILLED])
        return Distilled(path, float(made["similarity"]), float(made["seconds"]), str(made["settings"]))
    except Exception:  # safetensors' own errors, and those of other files
        return None
