"""The command line: chooses the command before any slow import, and sets the exit code."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

if __name__ == "__main__":  # `python cli.py`: the root is the package, its folders are no packages of their own
    _here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != _here]

INTERRUPTED = 130
BROKEN_PIPE = 141
TRACED = "FOVEATE_TRACE_PLUGINS"
TRACE = "--trace-plugins"  # for any command: shows which plugins are called, and how long each takes


@dataclass(frozen=True)
class Command:
    """One command: its line in the help, and the function that runs it.

    Attributes:
        summary: Its purpose.
        example: A complete example call, except for paths.
        target: "module:name" of a function that takes the words after the command, or of a mapping of
            sub-commands to functions. None: the trainer's own commands, which share one entry.
        trains: Whether it builds classes named in recipes, so that tasks and data modules are imported first.
    """

    summary: str
    example: str
    target: str | None
    trains: bool = False


COMMANDS = {
    "fit": Command("train a recipe", "foveate fit --config camvid_segnext_t --data.root ~/camvid", None),
    "validate": Command("score the val split", "foveate validate --ckpt_path best", None),
    "test": Command("score the test split", "foveate test --ckpt_path best", None),
    "predict": Command(
        "label any images", "foveate predict --ckpt_path best --data.images photos --out labelled", None
    ),
    "compare": Command(
        "train several attention blocks and compare them",
        "foveate compare synthetic_segnext_t --blocks none,se,lka,msca --data.root data/scenes",
        "pipeline.commands.compare:run",
        trains=True,
    ),
    "bench": Command(
        "tell how fast a recipe's network is here, and where the time goes",
        "foveate bench cityscapes_segnext_t --size 1024x2048 --engine auto",
        "pipeline.commands.bench:run",
        trains=True,
    ),
    "data": Command(
        "check, pack, import, view a data set; make synthetic scenes",
        "foveate data check mydata",
        "pipeline.commands.data:COMMANDS",
    ),
    "models": Command("list the networks", "foveate models list", "pipeline.commands.listing:MODELS"),
    "recipes": Command("list and show the recipes", "foveate recipes list", "pipeline.commands.listing:RECIPES"),
    "weights": Command(
        "look into weights files, write a checkpoint's weights under published names",
        "foveate weights export runs/latest/checkpoints/best.ckpt encoder.safetensors",
        "pipeline.commands.weights:WEIGHTS",
    ),
    "plugins": Command(
        "list, check and write plugins: attention blocks, data sets ...",
        "foveate plugins list",
        "pipeline.commands.plugins:COMMANDS",
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: The words after `foveate`; those of the process if not given.

    Returns:
        0 success, 2 recipe or command line, 3 data, 4 checkpoint, 5 plugin, 6 diverged, 130 interrupted, 1 a bug.
    """
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import looks for a newer version over the network
    words = list(sys.argv[1:] if argv is None else argv)
    before = os.environ.get(TRACED)
    if TRACE in words:
        os.environ[TRACED] = "1"  # inherited by every process of a training
        words = [word for word in words if word != TRACE]
    try:
        code = _dispatch(words)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt as stop:
        return _end(INTERRUPTED, "interrupted", f"stopped by Ctrl-C{_notes(stop)}")
    except SystemExit as stop:
        return _code_of(stop)
    except BrokenPipeError:  # the reader closed the pipe, such as `head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes again at exit
        return BROKEN_PIPE
    except Exception as error:  # every exit has an exit code and a last line
        return _explain(error)
    finally:
        if before is None:
            os.environ.pop(TRACED, None)


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if words[0] in ("-V", "--version"):
        print(f"foveate {_version()}")
        return 0
    command = COMMANDS.get(words[0])
    if command is None:
        from foveate.plugins.hints import did_you_mean

        hint = did_you_mean(words[0], COMMANDS)
        return _end(2, "usage", f"no command {words[0]!r}{hint} (commands: {', '.join(COMMANDS)})")
    from foveate.pipeline.startup import keep_freed_memory, show_log

    keep_freed_memory()
    show_log("foveate.datasets")
    if command.target is None:
        _train(words[0], words[1:])
        return 0
    if command.trains and not any(word in ("-h", "--help") for word in words):
        importlib.import_module("foveate.plugins.manager").load_named(words)  # reports a wrong one at once
        _import_named()
    module, _, name = command.target.partition(":")
    target = getattr(importlib.import_module(f"foveate.{module}"), name)
    if callable(target):
        target(words[1:])
    else:
        from foveate.pipeline.command_line import run_function

        run_function(f"foveate {words[0]}", target, words[1:])
    return 0


def overview() -> str:
    """The help: every command with an example."""
    lines = ["foveate trains, compares and ships vision models whose attention is pluggable.", "", "commands:"]
    for name, command in COMMANDS.items():
        lines += [f"  {name:<10}{command.summary}", f"  {'':<10}  {command.example}"]
    lines += [
        "",
        "foveate COMMAND --help tells more. First steps: foveate data make data/scenes, then",
        "foveate fit --config synthetic_segnext_t --data.root data/scenes",
        "",
        "exit codes: 0 done, 2 recipe or command line, 3 data, 4 checkpoint, 5 plugin, 6 diverged, 130 Ctrl-C, 1 a bug",
    ]
    return "\n".join(lines)


def _version() -> str:
    from importlib.metadata import version

    return version("foveate")


def _train(command: str, words: list[str]) -> None:
    """Show the short help, or import what training needs and run the command."""
    if any(word in ("-h", "--help") for word in words) or not words:
        from foveate.pipeline.commands.help import short_help

        print(short_help(command))
        return
    from foveate.pipeline.training.request import understand

    if "--help-all" in words:
        _import_named()
        importlib.import_module("foveate.pipeline.training.lightning_cli").print_full_help(command)
        return
    request = understand(command, words)
    _import_named()
    importlib.import_module("foveate.pipeline.training.command").run(request)


def _import_named() -> None:
    """Import data modules and tasks, which recipes name by class without a module."""
    importlib.import_module("foveate.pipeline.startup").import_torchmetrics()
    importlib.import_module("foveate.pipeline.runs.data_sets").import_ours()
    for task in ("segmentation", "classification"):
        importlib.import_module(f"foveate.pipeline.{task}")


def _code_of(stop: SystemExit) -> int:
    """The exit code; after Ctrl-C, Lightning writes the last checkpoint and exits with 1, which becomes 130."""
    if isinstance(stop.__context__, KeyboardInterrupt):
        return _end(INTERRUPTED, "interrupted", f"stopped by Ctrl-C{_notes(stop.__context__)}")
    if isinstance(stop.__context__, BrokenPipeError):  # rich handles it and exits
        return BROKEN_PIPE
    if stop.code is None or isinstance(stop.code, int):
        return int(stop.code or 0)
    return _end(2, "usage", str(stop.code))


def _explain(error: BaseException) -> int:
    """Print one line for a known error, a traceback for a bug."""
    notes = _notes(error)
    from foveate.pipeline.errors import known_cause

    error = known_cause(error)
    code = getattr(error, "exit_code", None)
    if isinstance(code, int):
        return _end(code, str(getattr(error, "code_name", "error")), _one_line(error) + notes)
    traceback.print_exc()
    return _end(1, "bug", f"{type(error).__name__}: {_one_line(error)}{notes}")


def _notes(error: BaseException) -> str:
    """The line on where to resume, which the checkpoint callback added to the exception as a note."""
    from foveate.pipeline.errors import LAST_GOOD

    notes = [note for note in getattr(error, "__notes__", []) if note.startswith(LAST_GOOD)]
    return "".join(f"; {note}" for note in notes[-1:])


def _one_line(error: BaseException) -> str:
    """The message of an error; if a data-loading process raised it, its last line without the class name."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if not lines[0].startswith("Caught "):
        return " ".join(lines)
    prefix, separator, rest = lines[-1].partition(": ")
    return rest if separator and prefix.endswith(type(error).__name__) else lines[-1]


def _end(code: int, name: str, cause: str) -> int:
    print(f"foveate: ERROR {name}: {cause}", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
