"""`foveate doctor`: tells of the installation and the machine what an issue should tell."""

from __future__ import annotations

from collections.abc import Sequence

from foveate.pipeline.command_line import run_single


def examine(json: bool = False) -> None:
    """Tell versions, devices, threads, kernels, plugins, disks and the state of W&B, as text to paste into an issue.

    Nothing is fetched or uploaded. Keys, user names and the machine's name are left out; paths in the home folder begin
    with ~. What is wrong stands at the end, with what to do.

    Example: foveate doctor

    Args:
        json: Print it as JSON.
    """
    from foveate.pipeline.answering import STDOUT, write_figures
    from foveate.pipeline.diagnosis.findings import as_figures, as_text
    from foveate.pipeline.diagnosis.machine import (
        describe_devices,
        describe_disks,
        describe_kernels,
        describe_processor,
    )
    from foveate.pipeline.diagnosis.others import describe_plugins, describe_wandb
    from foveate.pipeline.diagnosis.versions import describe_versions
    from foveate.plugins.output import diverted

    with diverted():
        parts = (describe_versions, describe_processor, describe_devices, describe_kernels, describe_disks)
        sections = [describe() for describe in (*parts, describe_plugins, describe_wandb)]
    if json:
        write_figures(as_figures(sections), STDOUT)
    else:
        print(as_text(sections))


def run(words: Sequence[str]) -> None:
    """Run `foveate doctor`.

    Args:
        words: The command line after it.
    """
    run_single("foveate doctor", examine, words)
