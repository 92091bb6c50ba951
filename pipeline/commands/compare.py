"""The command `foveate compare`: turns its options into a study and the blocks to compare."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from foveate.pipeline.answering import answer
from foveate.pipeline.command_line import parse_options, split_flags
from foveate.pipeline.distillation.lesson import Lesson
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.recipes import Recipe, find_recipe, read_recipe
from foveate.pipeline.runs.remembered import trusted_modules
from foveate.plugins.manager import installed_plugins
from foveate.plugins.selection import split_names

DISTIL = "--distil."
WEIGHTS = "--model.weights"
Start = Literal["recipe", "distilled"]


@dataclass(frozen=True)
class CompareOptions:
    """Train a recipe with several attention blocks and compare their scores and costs.

    All blocks start from the same weights and see the same images in the same order. The same command goes on where
    it stopped. Flags of the recipe (--data., --model., --trainer.) apply to all blocks.

    Example: foveate compare synthetic_segnext_t --blocks none,se,lka --data.root data/scenes

    Args:
        recipe: Name of a shipped recipe, or a file.
        blocks: The first is the baseline. Also {name: lka, kernel: 35}; a grid, lka(kernel=7|35); a stack, se+cbam.
        slot: gate, stage, decoder, block or input; stage@4 for one stage; several with commas.
        seeds: Number of seeds (trainings) per block; with --detect, of first seeds.
        detect: Points that matter: train until it is known.
        budget: With --detect: time for training, such as 45min or 3h.
        max_seeds: With --detect: most seeds.
        steps: Optimiser steps per training, and of the schedule.
        start: distilled: equal start (see: foveate distil --help).
        out: Folder (comparisons/RECIPE-SLOT).
        rounds: Timed runs per block.
        field: Largest receptive field measured; 0: none.
        wandb: W&B project, logged to as a group.
        plugins: Modules or files to load too.
        disable: Plugins that are not imported.
        dry_run: Only list them.
        json: JSON file, or -.
    """

    recipe: str
    blocks: str = "none,se,cbam,lka,msca,simam"
    slot: str = "gate"
    seeds: int = 3
    detect: float | None = None
    budget: str | None = None
    max_seeds: int = 20
    steps: int = 300
    start: Start = "recipe"
    out: Path | None = None
    rounds: int = 7
    field: int = 8192
    wandb: str | None = None
    plugins: str = ""
    disable: str = ""
    dry_run: bool = False
    json: str | None = None


def run(words: Sequence[str]) -> None:
    """Run the command.

    Args:
        words: The arguments after `foveate compare`.

    Raises:
        ConfigError: An option is invalid, or the recipe, block or slot does not exist.
    """
    flags, rest = split_flags(words)
    distilling, own = split_flags(rest, (DISTIL,))
    options = parse_options("foveate compare", CompareOptions, own, takes_recipe=True)
    if options.dry_run:
        answer(options.json, lambda: _foresee(options, flags, distilling))
    else:
        answer(options.json, lambda: _figures(options, *compare(options, flags, distilling)))


def _figures(options: CompareOptions, out: Path, rows: list[Any], score: str) -> dict[str, Any]:
    """The figures of a comparison."""
    from foveate.pipeline.comparison.figures import as_values
    from foveate.pipeline.comparison.run import VERDICTS

    decided = options.detect is not None
    verdicts = {"verdicts": json.loads((out / VERDICTS).read_text(encoding="utf-8"))} if decided else {}
    return {"folder": str(out), **as_values(rows, score), **verdicts}


def _foresee(options: CompareOptions, flags: Sequence[str], distilling: Sequence[str]) -> dict[str, Any]:
    """List the trainings that a comparison would run."""
    from foveate.pipeline.comparison.run import foresee

    study, entries, _ = _plan(options, flags, distilling)
    *trainings, summary = foresee(study, entries, options.seeds)
    print(*trainings, summary, sep="\n", flush=True)
    return {"folder": str(study.out), "trainings": trainings}


def compare(
    options: CompareOptions, flags: Sequence[str] = (), distilling: Sequence[str] = ()
) -> tuple[Path, list[Any], str]:
    """Run a comparison.

    Args:
        options: The command's options.
        flags: Flags that change the recipe, for all blocks.
        distilling: Options of the distillation, such as --distil.steps 500.

    Returns:
        The folder of the report, its rows, and the name of the score; no rows from a dry run.

    Raises:
        ConfigError: An option is invalid, or the recipe, block or slot does not exist.
    """
    from foveate.pipeline.comparison.run import carry_out

    if options.dry_run:
        return Path(_foresee(options, flags, distilling)["folder"]), [], ""
    study, entries, rule = _plan(options, flags, distilling)
    rows, score = carry_out(study, entries, seeds=options.seeds, rounds=options.rounds, limit=options.field, rule=rule)
    return study.out, rows, score


def _plan(options: CompareOptions, flags: Sequence[str], distilling: Sequence[str]) -> tuple[Any, list[Any], Any]:
    """The study, its blocks, and the rule by which it ends (None: after the given seeds).

    Raises:
        ConfigError: An option is invalid, or the recipe, block or slot does not exist.
    """
    from foveate.pipeline.comparison.attention_flags import take_attention
    from foveate.pipeline.comparison.entries import parse_entries  # late: --help should not wait for torch
    from foveate.pipeline.comparison.order import create_rule
    from foveate.pipeline.comparison.study import Study

    if min(options.seeds, options.steps, options.rounds) < 1 or options.field < 0:
        raise ConfigError("--seeds, --steps and --rounds are at least 1, --field at least 0")
    rule = create_rule(options.detect, options.budget, seeds=options.seeds, most_seeds=options.max_seeds)
    slots = tuple(split_names(options.slot))
    if not slots:
        raise ConfigError("--slot: name a slot, such as gate")
    modules, disabled = split_names(options.plugins), split_names(options.disable)
    if modules or disabled:
        installed_plugins(modules, disabled)
    file = find_recipe(options.recipe)
    recipe, others = take_attention(read_recipe(file, trusted_modules(modules)), flags)
    study = Study(
        name=file.stem,
        recipe=recipe,
        flags=others,
        slots=slots,
        steps=options.steps,
        out=options.out or Path("comparisons") / f"{file.stem}-{'-'.join(slots)}",
        group=options.wandb,
        modules=modules,
        start=_start(options, recipe, flags, distilling),
    )
    entries = parse_entries(options.blocks, slots)
    if rule is not None and len(entries) < 2:
        raise ConfigError("--detect compares: name two blocks or more in --blocks; the first one is the baseline")
    return study, list(entries), rule


def _start(options: CompareOptions, recipe: Recipe, flags: Sequence[str], distilling: Sequence[str]) -> Any:
    """What the trainings start from, if not from the recipe's weights.

    Raises:
        ConfigError: Options of the distillation are missing, or there are some and no distillation.
    """
    if options.start == "recipe":
        if distilling:
            raise ConfigError(f"{distilling[0].partition('=')[0]} needs --start distilled")
        return None
    from foveate.pipeline.commands.unlabelled import open_images
    from foveate.pipeline.comparison.start import DistilledStart

    given = (recipe["model"].get("init_args") or {}).get("weights")
    if given or any(flag.partition("=")[0] == WEIGHTS for flag in flags):
        raise ConfigError(f"--start distilled makes the initial weights: leave {WEIGHTS} out (null in the recipe)")
    words = [word.replace(DISTIL, "--", 1) if word.startswith(DISTIL) else word for word in distilling]
    lesson = parse_options("foveate compare --start distilled", Lesson, words or ["--teacher="])
    lesson.check(DISTIL)
    return DistilledStart(lesson, open_images)
