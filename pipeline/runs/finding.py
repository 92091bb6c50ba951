"""Finds the checkpoint that a command line means."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.runs.directories import CHECKPOINTS, global_rank, list_runs
from foveate.pipeline.runs.integrity import fault_of
from foveate.pipeline.runs.store import BEST, LAST, PREVIOUS, newest_good, step_of
from foveate.plugins.hints import did_you_mean, did_you_mean_path


def find_checkpoint(which: str, root: Path, name: str | None) -> Path:
    """The checkpoint meant by `last`, `best` or a path.

    Args:
        which: `last` or `best` for the newest run that has one, or a file. `last` is the undamaged one of
            `newest_good`.
        root: Where runs are kept.
        name: The recipe whose runs are searched; None for the run that `latest` points to.

    Raises:
        CheckpointError: There is none.
    """
    if which not in ("last", "best"):
        path = Path(which).expanduser()
        if not path.is_file():
            raise CheckpointError(
                f"{path}: no such checkpoint{_similar(which)} (--ckpt_path takes a file, last or best)"
            )
        return path.absolute()
    candidates = list_runs(root, name) if name else [p.resolve() for p in [root / "latest"] if p.is_dir()]
    for run in reversed(candidates):
        folder = run.resolve() / CHECKPOINTS
        if which == "last" and ((folder / LAST).is_file() or (folder / PREVIOUS).is_file()):
            return _last_in(folder)
        if which == "best" and (folder / BEST).is_file():
            return folder / BEST
    raise CheckpointError(_why_none(which, root, name, candidates))


def _similar(which: str) -> str:
    """A hint at `last` or `best`, or at a file with a similar name."""
    return did_you_mean(which, ("last", "best")) or did_you_mean_path(which)


def checkpoint_of_run(run: Path) -> Path:
    """The best checkpoint of a run directory, or its last one if it was never validated.

    Args:
        run: The run directory, or its folder of checkpoints.

    Raises:
        CheckpointError: It has none, or each is damaged.
    """
    folder = run / CHECKPOINTS if (run / CHECKPOINTS).is_dir() else run
    if (folder / BEST).is_file():
        return folder / BEST
    if not (folder / LAST).is_file() and not (folder / PREVIOUS).is_file():
        raise CheckpointError(
            f"{run}: no run directory{did_you_mean_path(run)}: it holds no {CHECKPOINTS}/{BEST} or {LAST}"
        )
    return _last_in(folder)


def _last_in(folder: Path) -> Path:
    """The checkpoint to go on from; if that is not last.ckpt, the reason is printed.

    Raises:
        CheckpointError: Each is damaged.
    """
    last, found = folder / LAST, newest_good(folder)
    if found is None:
        raise CheckpointError(f"{last}: {fault_of(last)}; no other checkpoint of this run is good either")
    if found != last and global_rank() == 0:
        step = step_of(found)
        at = "" if step is None else f" (step {step})"
        why = fault_of(last) if last.is_file() else "missing"
        print(f"foveate: {last}: {why}; going on from {found.name}{at}", file=sys.stderr, flush=True)
    return found


def _why_none(which: str, root: Path, name: str | None, runs: Sequence[Path]) -> str:
    """The reason why there is no such checkpoint: nothing was trained, or nothing was validated."""
    for run in reversed(runs):
        if which == "best" and (run / CHECKPOINTS / LAST).is_file():
            return f"{run}: has no best.ckpt, since it was never validated; take its last weights: --ckpt_path last"
    place = root / (name or "latest")
    return f"no run with a {which!r} checkpoint below {place}; train first: foveate fit --config RECIPE"
