"""`foveate bench`: what a command line asks for, measured and told."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from foveate.pipeline.command_line import OneLineParser
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.text import parse_size
from foveate.plugins.manager import installed_plugins
from foveate.plugins.selection import split_names


@dataclass(frozen=True)
class BenchOptions:
    """Measure how fast a network is on this machine, what it costs, and where the time goes. It needs no data.

    Example: foveate bench cityscapes_segnext_t --size 1024x2048 --engine all --precision bfloat16
    Example: foveate bench mobilenet_v2_100 --size 224x224 --num_classes 1000 --batch_size 8 --train true

    Args:
        recipe: Name of a shipped recipe, a recipe file, or a network (foveate models list).
        size: Height x width of an image.
        batch_size: Images at a time.
        engine: torch, folded, compile, openvino, auto (the fastest here), or all of them side by side.
        precision: float32 or bfloat16, of the engines and of the training step.
        train: Measure a training step too, with the recipe's loss, optimiser and gradient clipping.
        threads: Processor threads; as many as torch takes if not given.
        rounds: How often each time is taken.
        num_classes: Channels of the logits; the recipe's if not given, or 19.
        out: Folder for bench.md, bench.json and, with matplotlib, bench.png.
        plugins: Modules or files of this folder to take beside the installed plugins, between commas.
    """

    recipe: str
    size: str = "512x512"
    batch_size: int = 1
    engine: str = "auto"
    precision: str = "float32"
    train: bool = False
    threads: int | None = None
    rounds: int = 9
    num_classes: int | None = None
    out: Path | None = None
    plugins: str = ""


def run(words: Sequence[str]) -> None:
    """Carry out a command line.

    Args:
        words: What follows `foveate bench`.

    Raises:
        ConfigError: It asks for something that is not there.
    """
    parser = OneLineParser(prog="foveate bench", description=(BenchOptions.__doc__ or "").split("Args:")[0].strip())
    parser.add_class_arguments(BenchOptions, as_positional=True, as_group=False)
    bench(BenchOptions(**vars(parser.parse_args(list(words) or ["--help"]))))


def bench(options: BenchOptions) -> None:
    """Measure a network and print what was found.

    Args:
        options: What is measured, and how.

    Raises:
        ConfigError: It asks for something that is not there.
    """
    import torch  # here and below: what only tells how it is used should not wait for it

    from foveate.pipeline.bench.measures import Conditions, measure
    from foveate.pipeline.bench.page import text_of, write_page
    from foveate.pipeline.bench.subject import find_subject

    conditions = Conditions(
        size=parse_size(options.size),
        batch_size=options.batch_size,
        engine=_checked_engine(options.engine),
        precision=_checked_precision(options.precision),
        train=options.train,
        rounds=options.rounds,
        threads=torch.get_num_threads() if options.threads is None else options.threads,
    )
    if min(conditions.batch_size, conditions.rounds, conditions.threads) < 1:
        raise ConfigError("--batch_size, --rounds and --threads are at least 1")
    if modules := split_names(options.plugins):
        installed_plugins(modules)
    subject = find_subject(options.recipe, options.num_classes)
    measures = measure(subject, conditions, _tell)
    text = text_of(subject.name, measures, conditions)
    print(text, flush=True)
    if options.out is not None:
        files = write_page(options.out, text, measures, conditions)
        print(f"written: {', '.join(map(str, files))}", flush=True)


def _checked_engine(name: str) -> str:
    from foveate.pipeline.engines import NAMES, check_engine

    if name != "all":
        try:
            check_engine(name)
        except ConfigError as error:
            raise ConfigError(f"no engine {name!r} (accepted: {', '.join(NAMES)}, all)") from error
    return name


def _checked_precision(name: str) -> Literal["float32", "bfloat16"]:
    from foveate.pipeline.engines.engine import check_precision

    check_precision(name)
    return "bfloat16" if name == "bfloat16" else "float32"


def _tell(what: str) -> None:
    """Print to stderr: on a terminal the next text replaces this one, elsewhere each is a line."""
    end = "\r" if sys.stderr.isatty() else "\n"
    print(f"\x1b[2Kbench: {what}" if end == "\r" else f"bench: {what}", file=sys.stderr, end=end, flush=True)
