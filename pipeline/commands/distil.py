"""The command `foveate distil`: builds student, teacher and images, and starts the training."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foveate.pipeline.answering import answer
from foveate.pipeline.command_line import parse_options
from foveate.pipeline.distillation.lesson import Lesson
from foveate.pipeline.text import duration
from foveate.plugins.manager import installed_plugins
from foveate.plugins.selection import split_names

FOLDER = "distilled"


@dataclass(frozen=True)
class Named:
    """The student of a distillation.

    Args:
        student: Network.
    """

    student: str


@dataclass(frozen=True)
class DistilOptions(Lesson, Named):
    """Train an encoder, with any block, to reproduce a teacher's feature maps. No labels are needed.

    The weights are for --model.weights of a recipe with the same block. Run the same command again to go on.

    Example: foveate distil segnext_t --attention.gate se --teacher runs/latest --data photos

    Args:
        attention: Blocks in its slots: --attention.gate se.
        options: Other options of the network.
        seed: Of initial weights, order and crops.
        out: File to write; named in distilled/ if not given.
        plugins: Modules or files to load too.
        json: JSON file, or -.
        dry_run: Only build student and teacher, and find the images.
    """

    attention: dict[str, Any] | None = None
    options: dict[str, Any] | None = None
    seed: int = 0
    out: Path | None = None
    plugins: str = ""
    json: str | None = None
    dry_run: bool = False


def run(words: Sequence[str]) -> None:
    """Run the command.

    Args:
        words: The arguments after `foveate distil`.

    Raises:
        ConfigError: An option is invalid, or the network or a block does not exist.
    """
    options = parse_options("foveate distil", DistilOptions, words)
    command = shlex.join(["foveate", "distil", *words])
    answer(options.json, lambda: distil_student(options, command))


def distil_student(options: DistilOptions, command: str = "the same command again") -> dict[str, Any]:
    """Train a student's encoder and write its weights.

    Args:
        options: The command's options.
        command: The command line, to be repeated after an interruption.

    Returns:
        The file, and figures of the training.

    Raises:
        ConfigError: An option is invalid, or the network or a block does not exist.
    """
    options.check()
    if modules := split_names(options.plugins):
        installed_plugins(modules)
    from foveate.pipeline.commands.unlabelled import open_images  # late: --help should not wait for torch
    from foveate.pipeline.distillation.run import Student, distil
    from foveate.pipeline.distillation.teacher import find_teacher
    from foveate.pipeline.models import create_model
    from foveate.pipeline.randomness import seed_all

    given = dict(options.options or {})
    seed_all(options.seed)
    encoder: Any = create_model(options.student, num_classes=1, attention=options.attention, **given).encoder
    student = Student(encoder, options.student, options.attention, given)
    data = open_images(options, options.seed)
    teacher = find_teacher(options.teacher, options.teacher_weights)
    out = options.out or name_output(options)
    if options.dry_run:
        print(f"{options.student} would learn {options.steps} steps from {len(data.paths)} images; weights go to {out}")
        return {"weights": str(out), "student": options.student, "steps": options.steps, "images": len(data.paths)}
    done = distil(student, teacher, data, options, out, command)
    print(
        f"{done.path}: {options.student}, {options.steps} steps on {len(data.paths)} images in "
        f"{duration(done.seconds)}; similarity to the teacher {done.similarity:.3f}. Train with it: "
        f"--model.weights {done.path}",
        flush=True,
    )
    told = {"weights": str(done.path), "student": options.student, "steps": options.steps, "images": len(data.paths)}
    return {**told, "seconds": done.seconds, "similarity": done.similarity}


def name_output(options: DistilOptions) -> Path:
    """The file to write if none is asked for: distilled/STUDENT-BLOCKS-SEED.safetensors.

    Args:
        options: The command's options.
    """
    blocks = "-".join(f"{slot}-{spec}" for slot, spec in (options.attention or {}).items())
    words = [options.student, blocks, str(options.seed)]
    name = "-".join(re.sub(r"[^A-Za-z0-9._@-]+", "_", word).strip("_.") for word in words if word)
    return Path(FOLDER) / f"{name}.safetensors"
