"""The command `foveate replay`: runs the step at which a training diverged again, and says where it fails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from foveate.pipeline.answering import answer
from foveate.pipeline.command_line import run_single
from foveate.pipeline.errors import DivergedError

Precision = Literal["32-true", "bf16-mixed"]


def replay_bundle(
    bundle: str, precision: Precision | None = None, plugins: str | None = None, json: str | None = None
) -> None:
    """Run the step of a bundle again on the CPU, and name the first module whose values are not finite.

    A training that ends with exit code 6 writes a bundle into the folder `bundles` of its run directory. The exit code
    is 6 if the step diverges here too, and 0 if all is finite.

    Example: foveate replay runs/latest/bundles/step-1200.pt

    Args:
        bundle: The file.
        precision: Numbers to compute with; the training's if not given.
        plugins: Modules that the training was given by --plugins, separated by commas; others are found by themselves.
        json: File for the figures, or - for standard output, also without a value.

    Raises:
        DivergedError: The step diverges.
    """
    from foveate.pipeline.divergence.bundle import read_bundle  # late: torch takes a second, and --help should not
    from foveate.pipeline.divergence.replay import replay
    from foveate.plugins.manager import installed_plugins
    from foveate.plugins.selection import split_names

    if plugins:
        installed_plugins(split_names(plugins))
    step = read_bundle(Path(bundle).expanduser())
    images = list(step.batch.get("path", []))

    def find() -> dict[str, Any]:
        print(f"step {step.step}, {len(images)} images: {', '.join(images)}")
        print(f"the training said: {step.message}", flush=True)
        found = replay(step, precision)
        if found.place is not None:
            raise DivergedError(f"the loss is {found.loss} again, first not finite: {found.place}")
        print(f"here the loss is {found.loss:.6g}, and all gradients are finite")
        return {"step": step.step, "images": images, "training_said": step.message, "loss": found.loss}

    answer(json, find)


def run(words: Sequence[str]) -> None:
    """Run `foveate replay`.

    Args:
        words: The command line after it.
    """
    run_single("foveate replay", replay_bundle, words or ["--help"])
