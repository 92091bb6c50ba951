"""The command `foveate bench`: parses its options, measures, and prints the results."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from foveate.pipeline.answering import answer
from foveate.pipeline.command_line import parse_options
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.text import parse_size
from foveate.plugins.manager import installed_plugins
from foveate.plugins.selection import split_names


@dataclass(frozen=True)
class BenchOptions:
    """Measure a network's latency, throughput, memory and time per module on this machine. No data set is needed.

    Example: foveate bench cityscapes_segnext_t --size 1024x2048 --engine all --precision bfloat16
    Example: foveate bench mobilenet_v2_100 --size 224x224 --num_classes 1000 --batch_size 8 --train true

    Args:
        recipe: Name of a shipped recipe, a recipe file, or a network (foveate models list).
        size: Image size, height x width.
        batch_size: Images per batch.
        engine: torch, folded, compile, openvino, auto (the fastest on this machine), or all (compare all of them).
        precision: float32 or bfloat16, for the engines and for the training step.
        train: Also measure a training step, with the recipe's loss, optimiser and gradient clipping.
        threads: Number of processor threads; PyTorch's own choice if not given.
        rounds: Number of timed calls of each engine.
        num_classes: Number of classes; that of the recipe, or 19, if not given.
        out: Folder for bench.md, bench.json and, with matplotlib, bench.png.
        json: File for all figures, or - for standard output, also without a value.
        plugins: Comma-separated modules, or files of this folder, to load in addition to the installed plugins.
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
    json: str | None = None
    plugins: str = ""


def run(words: Sequence[str]) -> None:
    """Run the command.

    Args:
        words: The arguments after `foveate bench`.

    Raises:
        ConfigError: An option is invalid, or the network, engine or precision does not exist.
    """
    options = parse_options("foveate bench", BenchOptions, words)
    answer(options.json, lambda: bench(options))


def bench(options: BenchOptions) -> dict[str, Any]:
    """Measure a network and print the results.

    Args:
        options: The command's options.

    Returns:
        All figures.

    Raises:
        ConfigError: An option is invalid, or the network, engine or precision does not exist.
    """
    import torch  # late, as below: --help should not wait for it

    from foveate.pipeline.bench.measures import Conditions, measure
    from foveate.pipeline.bench.page import as_json, text_of, write_page
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
    return {"network": subject.name, **as_json(measures, conditions)}


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
    """Print progress to stderr: one line that is overwritten on a terminal, one line per text elsewhere."""
    end = "\r" if sys.stderr.isatty() else "\n"
    print(f"\x1b[2Kbench: {what}" if end == "\r" else f"bench: {what}", file=sys.stderr, end=end, flush=True)
