"""The command `foveate verify`: takes steps of a training again, and compares every number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foveate.pipeline.answering import answer
from foveate.pipeline.command_line import run_single
from foveate.pipeline.errors import CheckpointError, ConfigError
from foveate.plugins.hints import did_you_mean_path


def verify_run(run: str, steps: int = 5, seed: int | None = None, json: str | None = None) -> None:
    """Take some steps of a training again, from its start and its checkpoints, and compare loss, gradients and weights.

    On the same kind of machine they must be equal bit for bit, else within 1 %. A changed image, recipe, plugin,
    library or kernel is named, with the step at which it shows. The exit code is 0 if all is equal, 3 if images have
    changed, 2 if the recipe has, 5 if a plugin has, and 4 otherwise.

    Example: foveate verify runs/latest --steps 10

    Args:
        run: The run directory.
        steps: How many steps.
        seed: Decides where they begin; elsewhere each time if not given.
        json: File for all figures, or - for standard output, also without a value; everything else goes to stderr then.

    Raises:
        CheckpointError: The run has no trace, or a step differs.
        ConfigError: There are no steps to take.
    """
    folder = Path(run).expanduser()
    if not folder.is_dir():
        raise CheckpointError(
            f"{folder}: no such run directory{did_you_mean_path(folder)}; give one such as runs/latest"
        )
    if steps < 1:
        raise ConfigError(f"--steps is at least 1, not {steps}")
    answer(json, lambda: _verify(folder.resolve(), steps, seed))


def _verify(run: Path, steps: int, seed: int | None) -> dict[str, Any]:
    """Take the steps and print a line about each place; the figures."""
    from foveate.pipeline.training.verifying import verify  # late: torch takes a second, and --help should not

    found = verify(run, steps, seed)
    print(*found, sep="\n", flush=True)
    return {"run": str(run), "steps": sum(one.steps for one in found), "places": [one.as_values() for one in found]}


def run(words: Sequence[str]) -> None:
    """Run `foveate verify`.

    Args:
        words: The command line after it.
    """
    run_single("foveate verify", verify_run, words or ["--help"])
