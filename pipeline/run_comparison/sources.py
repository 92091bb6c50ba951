"""Where the record of a run comes from: a file, an evaluation of a checkpoint, or a folder of predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from foveate.pipeline.engines import NAMES
from foveate.pipeline.errors import CheckpointError, ConfigError, UnusableDataError
from foveate.pipeline.per_image.files import read_record, record_beside
from foveate.pipeline.per_image.record import Record
from foveate.pipeline.runs.directories import CHECKPOINTS, RECIPE
from foveate.plugins.hints import did_you_mean_path

RECORDS = (".csv", ".parquet")
Count = Callable[[Path], Record]  # counts a folder of predictions against labels
DEVICES = "--trainer.devices"


@dataclass(frozen=True)
class Source:
    """A run as it was named on the command line.

    Attributes:
        name: The words.
        path: A run directory, a checkpoint, a record or a folder of predictions.
        engine: The engine that runs a checkpoint's network; None where none is named.
    """

    name: str
    path: Path
    engine: str | None = None


def parse_source(word: str) -> Source:
    """A run from a word of the command line: PATH, or PATH@ENGINE.

    Args:
        word: The word.

    Raises:
        ConfigError: There is no such engine.
        UnusableDataError: There is no such file or folder.
    """
    start, at, engine = word.rpartition("@")
    if at and not Path(word).expanduser().exists():
        if engine not in NAMES:
            raise ConfigError(f"{word}: no engine {engine!r}; PATH@ENGINE takes {', '.join(NAMES)}")
        return Source(word, _existing(start), engine)
    return Source(word, _existing(word))


def _existing(word: str) -> Path:
    path = Path(word).expanduser()
    if not path.exists():
        hint = did_you_mean_path(word)
        raise UnusableDataError(
            f"{word}: no such file or folder{hint}; give a run, a checkpoint, a record or predictions"
        )
    return path


def obtain_record(source: Source, split: str, flags: Sequence[str], count: Count | None) -> Record:
    """The record of a run; a checkpoint is evaluated.

    A run directory has the record of its best weights on the val split. It is evaluated anew where another split,
    engine, data or setting is asked for.

    Args:
        source: The run.
        split: val or test.
        flags: Flags of the recipe, for evaluations.
        count: Counts a folder of predictions; None where nobody says what their labels are.

    Raises:
        CheckpointError: A run has no checkpoint.
        ConfigError: A folder holds neither a run nor predictions whose labels are known.
    """
    path = source.path
    if path.suffix in RECORDS:
        return read_record(path)
    if path.is_file():
        return _evaluate(path, source.engine, split, flags)
    if not (path / RECIPE).is_file():
        if count is None:
            raise ConfigError(f"{path}: no {RECIPE} in it, so no run; for a folder of predictions give --truth DATA")
        return count(path)
    kept = record_beside(path / "val-best.json")
    if kept.is_file() and split == "val" and not flags and source.engine is None:
        return read_record(kept)
    return _evaluate(_weights(path), source.engine, split, flags)


def _weights(run: Path) -> Path:
    found = [run / CHECKPOINTS / f"{name}.ckpt" for name in ("best", "last")]
    if there := [path for path in found if path.is_file()]:
        return there[0]
    raise CheckpointError(f"{run}: no checkpoints/best.ckpt or last.ckpt; train it: foveate fit")


def _evaluate(checkpoint: Path, engine: str | None, split: str, flags: Sequence[str]) -> Record:
    from foveate.pipeline.training.command import evaluated  # late: torch takes a second
    from foveate.pipeline.training.request import understand

    words = ["--ckpt_path", str(checkpoint), "--engine", engine or "torch", *one_process(flags)]
    request = understand("validate" if split == "val" else "test", words)
    task = evaluated(request)[0].model
    record: Record | None = task.record
    if record is None:
        raise UnusableDataError(
            f"{checkpoint}: nothing was scored: there is no {split} split, or its images have no label"
        )
    return record


def one_process(flags: Sequence[str]) -> list[str]:
    """Flags with which an evaluation runs in this process.

    Args:
        flags: Of the recipe.

    Raises:
        ConfigError: They ask for a number of devices.
    """
    if any(flag.partition("=")[0] == DEVICES for flag in flags):
        raise ConfigError(
            f"{DEVICES}: compare-runs evaluates in one process; with several, write records first: foveate validate "
            f"--per_image a.csv {DEVICES} 2, and compare those"
        )
    return [*flags, f"{DEVICES}=1"]
