"""`foveate compare`: what a command line asks for, as a study and its entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foveate.pipeline.command_line import OneLineParser
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.recipes import find_recipe, read_recipe
from foveate.pipeline.runs.remembered import module_of
from foveate.plugins.manager import installed_plugins
from foveate.plugins.selection import split_names

RECIPE_FLAGS = ("--data.", "--model.", "--trainer.")


@dataclass(frozen=True)
class CompareOptions:
    """Train a recipe with several attention blocks and compare what they cost and give.

    All start from the same weights where they share them, and see the same images in the same order. A training that
    ended is not run again: the same command goes on where it stopped. Flags of the recipe (--data., --model.,
    --trainer.) hold for all blocks.

    Example: foveate compare synthetic_segnext_t --blocks none,se,lka --data.root data/scenes

    Args:
        recipe: Name of a shipped recipe, or a file.
        blocks: Between commas: none, se, or with options {name: lka, kernel: 35}. The first is the one to beat.
        slot: Where they sit: gate, stage, decoder, block or input, as the network has it.
        seeds: Trainings of each block.
        steps: Optimiser steps of each training; the schedule follows.
        out: Folder of the results (comparisons/RECIPE-SLOT).
        rounds: How often each time is taken.
        field: How far receptive fields are followed, in pixels; 0 leaves them out.
        wandb: Log to this W&B project, as one group.
        plugins: Modules or files of this folder to take beside the installed plugins, between commas.
        disable: Plugins not to import, between commas.
    """

    recipe: str
    blocks: str = "none,se,cbam,lka,msca,simam"
    slot: str = "gate"
    seeds: int = 3
    steps: int = 300
    out: Path | None = None
    rounds: int = 7
    field: int = 8192
    wandb: str | None = None
    plugins: str = ""
    disable: str = ""


def run(words: Sequence[str]) -> None:
    """Carry out a command line.

    Args:
        words: What follows `foveate compare`.

    Raises:
        ConfigError: It asks for something that is not there.
    """
    flags, own = split_flags(words)
    description = (CompareOptions.__doc__ or "").split("Args:")[0].strip()
    parser = OneLineParser(prog="foveate compare", description=description)
    parser.add_class_arguments(CompareOptions, as_positional=True, as_group=False)
    compare(CompareOptions(**vars(parser.parse_args(own or ["--help"]))), flags)


def compare(options: CompareOptions, flags: Sequence[str] = ()) -> None:
    """Carry out a comparison.

    Args:
        options: What is compared.
        flags: Flags of the recipe.

    Raises:
        ConfigError: It asks for something that is not there.
    """
    from foveate.pipeline.comparison.entries import parse_entries  # here: what only tells how it is used is quick
    from foveate.pipeline.comparison.run import carry_out
    from foveate.pipeline.comparison.study import Study

    if min(options.seeds, options.steps, options.rounds) < 1 or options.field < 0:
        raise ConfigError("--seeds, --steps and --rounds are at least 1, --field at least 0")
    modules, disabled = split_names(options.plugins), split_names(options.disable)
    if modules or disabled:
        installed_plugins(modules, disabled)
    file = find_recipe(options.recipe)
    study = Study(
        name=file.stem,
        recipe=read_recipe(file, [module_of(module) for module in modules]),
        flags=list(flags),
        slot=options.slot,
        steps=options.steps,
        out=options.out or Path("comparisons") / f"{file.stem}-{options.slot}",
        group=options.wandb,
        modules=modules,
    )
    carry_out(study, parse_entries(options.blocks), seeds=options.seeds, rounds=options.rounds, limit=options.field)


def split_flags(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The flags that belong to the recipe, with their values, and the rest.

    Example:
        >>> split_flags(["tiny", "--data.root", "x", "--steps", "5", "--model.loss=dice"])
        (['--data.root', 'x', '--model.loss=dice'], ['tiny', '--steps', '5'])
    """
    recipe, own, left = [], [], list(words)
    while left:
        word = left.pop(0)
        if not word.startswith(RECIPE_FLAGS):
            own.append(word)
            continue
        recipe.append(word)
        if "=" not in word and left:
            recipe.append(left.pop(0))
    return recipe, own
