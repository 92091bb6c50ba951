"""The command `foveate compare-runs`: finished runs compared image by image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from foveate.pipeline.answering import answer
from foveate.pipeline.command_line import PLUGINS, RECIPE_FLAGS, parse_options, split_flags
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.json_option import JSON, STDOUT, is_json_target

SWITCHES = ("--leave_out",)


@dataclass(frozen=True)
class CompareRunsOptions:
    """Compare finished runs image by image: which is better, by how much, and whether chance alone explains it.

    Each RUN is a run directory, a checkpoint (evaluated now, with flags such as --data.root), a record that `validate
    --per_image` wrote, or a folder of predicted label maps with --truth. RUN@ENGINE evaluates with an engine, such as
    runs/latest@openvino. Every pair is compared: by mIoU or accuracy, and by each class.

    Example: foveate compare-runs runs/camvid_segnext_t/0001 runs/camvid_segnext_t/0002

    Args:
        truth: Folder of the data set whose labels predictions are counted against.
        dataset: Data set in that folder; auto asks each.
        ids: What predictions hold: the data set's regular ids, or train ids.
        split: The split that is compared.
        leave_out: Compare the images that all runs have, and list the others; else those are an error.
        json: File for all figures; - prints them, and everything else goes to stderr.
        plot: Picture of the effects, .png, .svg or .pdf; needs matplotlib.
        seed: Of the random draws.
    """

    truth: str | None = None
    dataset: str = "auto"
    ids: Literal["regular", "train"] = "regular"
    split: Literal["val", "test"] = "val"
    leave_out: bool = False
    json: str | None = None
    plot: Path | None = None
    seed: int = 0


def run(words: Sequence[str]) -> None:
    """Run the command.

    Args:
        words: The arguments after `foveate compare-runs`.

    Raises:
        ConfigError: An option is invalid, or fewer than two runs are given.
    """
    flags, own = split_flags(words, (*RECIPE_FLAGS, PLUGINS))
    runs, rest = split_runs(own)
    settings = ["--help"] if not words else [*rest, *([] if rest else ["--seed=0"])]
    options = parse_options("foveate compare-runs [RUN ...]", CompareRunsOptions, settings, takes_recipe=True)
    if len(runs) < 2 or len(set(runs)) < len(runs):
        raise ConfigError(f"compare-runs takes two different runs or more, not {', '.join(runs) or 'none'}")
    answer(options.json, lambda: compare_runs(runs, options, flags))


def split_runs(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The runs among the words of a command line, and the options.

    Args:
        words: The command line without the recipe's flags.

    Example:
        >>> split_runs(["a", "b", "--seed", "3", "--leave_out", "c"])
        (['a', 'b', 'c'], ['--seed', '3', '--leave_out=true'])
    """
    runs, options, left = [], [], list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("-") or word == STDOUT:
            runs.append(word)
        elif word in SWITCHES:
            value = left.pop(0) if left and left[0].lower() in ("true", "false") else "true"
            options.append(f"{word}={value}")
        elif word == JSON and not (left and is_json_target(left[0])):
            options.append(f"{word}={STDOUT}")
        else:
            options.append(word)
            if "=" not in word and word not in ("-h", "--help") and left:
                options.append(left.pop(0))
    return runs, options


def compare_runs(runs: Sequence[str], options: CompareRunsOptions, flags: Sequence[str] = ()) -> dict[str, Any]:
    """Compare runs, and print what was found.

    Args:
        runs: As they were named.
        options: The command's options.
        flags: Flags of the recipe, for checkpoints that are evaluated.

    Returns:
        All figures, as in the JSON file.
    """
    from foveate.pipeline.run_comparison.carrying_out import carry_out  # late: --help should not wait for torch

    count = None
    if options.truth is not None:
        from foveate.pipeline.commands.open_data import open_named
        from foveate.pipeline.commands.predicted_labels import Truth, record_predictions

        data = open_named(options.truth, options.dataset, {}, flags)
        count = partial(record_predictions, truth=Truth(data, options.split, options.ids, options.leave_out))
    return carry_out(
        runs,
        flags,
        split=options.split,
        count=count,
        leave_out=options.leave_out,
        plot=options.plot,
        seed=options.seed,
    )
