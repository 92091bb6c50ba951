"""`foveate bench`: what a command line asks for, measured and told."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from foveate.pipeline.command_line import OneLineParser
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.text import parse_size
from foveate.plugins.manager import installed_plugins
from foveate.plugins.selection import split_names


def run(words: Sequence[str]) -> None:
    """Carry out a command line.

    Raises:
        ConfigError: It asks for something that is not there.
    """
    parser = OneLineParser(prog="foveate bench", description=(bench.__doc__ or "").split("Args:")[0].strip())
    parser.add_function_arguments(bench, as_positional=True, as_group=False)
    bench(**vars(parser.parse_args(list(words) or ["--help"])))


def bench(
    recipe: str,
    size: str = "512x512",
    batch_size: int = 1,
    engine: str = "auto",
    precision: str = "float32",
    train: bool = False,
    threads: int | None = None,
    rounds: int = 9,
    num_classes: int | None = None,
    out: Path | None = None,
    plugins: str = "",
) -> None:
    """Tell how fast a network is on this machine, what it costs, and where the time goes. It needs no data.

    Example: foveate bench cityscapes_segnext_t --size 1024x2048 --engine all --precision bfloat16
    Example: foveate bench mobilenet_v2_100 --size 224x224 --num_classes 1000 --batch_size 8 --train true

    Args:
        recipe: Name of a shipped recipe, a recipe file, or a network (foveate models list).
        size: Height x width of an image.
        batch_size: Images at a time.
        engine: torch, folded, compile, openvino, auto (the fastest here), or all of them side by side.
        precision: float32 or bfloat16.
        train: Measure a training step too.
        threads: Of the processor; as many as torch takes if not given.
        rounds: How often each time is taken.
        num_classes: Of the logits; the recipe's if not given, or 19.
        out: Folder for bench.md, bench.json and, with matplotlib, bench.png.
        plugins: Modules or files of this folder to take beside the installed plugins, between commas.

    Raises:
        ConfigError: It asks for something that is not there.
    """
    import torch  # here and below: what only tells how it is used should not wait for it

    from foveate.pipeline.bench.measures import Conditions, measure
    from foveate.pipeline.bench.page import text_of, write_page
    from foveate.pipeline.bench.subject import find_subject

    conditions = Conditions(
        size=parse_size(size),
        batch_size=batch_size,
        engine=_checked_engine(engine),
        precision=_checked_precision(precision),
        train=train,
        rounds=rounds,
        threads=torch.get_num_threads() if threads is None else threads,
    )
    if min(batch_size, rounds, conditions.threads) < 1:
        raise ConfigError("--batch_size, --rounds and --threads are at least 1")
    if modules := split_names(plugins):
        installed_plugins(modules)
    subject = find_subject(recipe, num_classes)
    measures = measure(subject, conditions, _tell)
    text = text_of(subject.name, measures, conditions)
    print(text, flush=True)
    if out is not None:
        print(f"written: {', '.join(map(str, write_page(out, text, measures, conditions)))}", flush=True)


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
    """A line that the next one writes over on a terminal; elsewhere lines."""
    end = "\r" if sys.stderr.isatty() else "\n"
    print(f"\x1b[2Kbench: {what}" if end == "\r" else f"bench: {what}", file=sys.stderr, end=end, flush=True)
