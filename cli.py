"""The command line: chooses the command before any slow import, and sets the exit code."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from itertools import pairwise

if __name__ == "__main__":  # `python cli.py`: the root is the package, its folders are no packages of their own
    _here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != _here]

ASKS = ("-h", "--help", "help", "-V", "--version")  # for these nothing more is imported
WIDE = 110  # characters of a line from which the help is laid out as in a file
OTHER_NAMES = {  # what other tools call our commands
    **dict.fromkeys(("train", "resume", "finetune"), "fit"),
    **dict.fromkeys(("val", "eval", "evaluate"), "validate"),
    **dict.fromkeys(("infer", "inference", "detect", "segment"), "predict"),
    **dict.fromkeys(("benchmark", "profile", "speed"), "bench"),
    "env": "doctor",
    "convert": "export",
}
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
    "score": Command(
        "score label files by a benchmark's rules",
        "foveate score predictions ~/cityscapes/gtFine/val --dataset cityscapes",
        "pipeline.commands.score:run",
    ),
    "submit": Command(
        "predict Cityscapes' test split, write and check the zip for its server",
        "foveate submit --ckpt_path best --data.root ~/cityscapes --out submission.zip",
        "pipeline.commands.submit:run",
    ),
    "compare": Command(
        "train several attention blocks and compare them",
        "foveate compare synthetic_segnext_t --blocks none,se,lka,msca --data.root data/scenes",
        "pipeline.commands.compare:run",
        trains=True,
    ),
    "compare-runs": Command(
        "tell whether finished runs differ, image by image",
        "foveate compare-runs runs/camvid_segnext_t/0001 runs/camvid_segnext_t/0002",
        "pipeline.commands.compare_runs:run",
        trains=True,
    ),
    "distil": Command(
        "train an encoder to reproduce a teacher's features, without labels",
        "foveate distil segnext_t --attention.gate se --teacher runs/latest --data photos",
        "pipeline.commands.distil:run",
        trains=True,
    ),
    "leaderboard": Command(
        "train every block by one protocol, add your own, check anybody's records",
        "foveate leaderboard add my-block --plugins my_block.py --data ~/data",
        "pipeline.commands.leaderboard:COMMANDS",
    ),
    "tune": Command(
        "search the options of a recipe that score best",
        "foveate tune camvid_segnext_t space.yaml --trials 20 --data.root ~/camvid --trainer.max_steps 2000",
        "pipeline.commands.tune:run",
        trains=True,
    ),
    "bench": Command(
        "tell how fast a recipe's network is here, and where the time goes",
        "foveate bench cityscapes_segnext_t --size 1024x2048 --engine auto",
        "pipeline.commands.bench:run",
        trains=True,
    ),
    "verify": Command(
        "take steps of a finished training again and compare every number",
        "foveate verify runs/latest --steps 5",
        "pipeline.commands.verify:run",
        trains=True,
    ),
    "replay": Command(
        "run the step at which a training diverged again",
        "foveate replay runs/latest/bundles/step-1200.pt",
        "pipeline.commands.replay:run",
    ),
    "report": Command(
        "write one page about a run: curves, scores, where it fails",
        "foveate report runs/latest",
        "pipeline.commands.report:run",
    ),
    "demo": Command(
        "show a page on which images and videos are dropped",
        "foveate demo runs/latest",
        "pipeline.commands.demo:run",
    ),
    "serve": Command(
        "answer requests for predictions over HTTP",
        "foveate serve runs/latest --port 8000",
        "pipeline.commands.serve:run",
    ),
    "explain": Command(
        "draw what the answer for an image rests on: Grad-CAM, attention maps",
        "foveate explain runs/latest photo.jpg --at 120,340",
        "pipeline.commands.explain:run",
    ),
    "push": Command(
        "publish a trained model with a model card, on the Hugging Face Hub or in a folder",
        "foveate push runs/latest jane/segnext_t_camvid --licence apache-2.0",
        "pipeline.commands.push:run",
    ),
    "pull": Command(
        "fetch a published model and verify it",
        "foveate pull jane/segnext_t_camvid",
        "pipeline.commands.pull:run",
    ),
    "export": Command(
        "write a model for another runtime (ONNX, OpenVINO, torch.export), checked against PyTorch",
        "foveate export best --format onnx --size dynamic --out model.onnx",
        "pipeline.commands.export:run",
        trains=True,
    ),
    "data": Command(
        "check, pack, import, view a data set; make synthetic scenes",
        "foveate data check mydata",
        "pipeline.commands.data:COMMANDS",
    ),
    "models": Command("list the networks", "foveate models list", "pipeline.commands.listing:MODELS"),
    "recipes": Command(
        "list and show the recipes; write one from a config of mmseg",
        "foveate recipes list",
        "pipeline.commands.listing:RECIPES",
    ),
    "weights": Command(
        "list and fetch weights by name, look into files, write a checkpoint's weights under published names",
        "foveate weights fetch mscan_t",
        "pipeline.commands.weights:COMMANDS",
    ),
    "plugins": Command(
        "list, check and write plugins: attention blocks, data sets ...",
        "foveate plugins list",
        "pipeline.commands.plugins:COMMANDS",
    ),
    "config": Command(
        "show a recipe resolved, write one to start from, tell what differs between two",
        "foveate config diff runs/camvid_segnext_t/0001 runs/camvid_segnext_t/0002",
        "pipeline.commands.config:COMMANDS",
    ),
    "options": Command(
        "show the options of a part of a recipe, with defaults and what they do",
        "foveate options loss.dice",
        "pipeline.commands.options:run",
    ),
    "doctor": Command(
        "tell versions, devices, threads, kernels, plugins and disks, to paste into an issue",
        "foveate doctor",
        "pipeline.commands.doctor:run",
    ),
    "completion": Command(
        "print a script that completes commands, options and names in bash, zsh or fish",
        "foveate completion bash > ~/.local/share/bash-completion/completions/foveate",
        "pipeline.commands.completion:COMMANDS",
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: The words after `foveate`; those of the process if not given.

    Returns:
        0 success, 2 recipe or command line, 3 data, 4 checkpoint, 5 plugin, 6 diverged, 129 SIGHUP, 130 Ctrl-C,
        143 SIGTERM, 138 the machine (try again), 1 a bug.
    """
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import looks for a newer version over the network
    words = list(sys.argv[1:] if argv is None else argv)
    before = os.environ.get(TRACED)
    if TRACE in words:
        os.environ[TRACED] = "1"  # inherited by every process of a training
        words = [word for word in words if word != TRACE]
    try:
        if not words or any(word in ASKS for word in words):
            return copy_context().run(_run, words)
        from foveate.pipeline.processes.signals import listening

        with listening() as receiver:
            return copy_context().run(_run, words, receiver.close)
    finally:
        if before is None:
            os.environ.pop(TRACED, None)


def _run(words: list[str], when_it_fails: Callable[[], None] | None = None) -> int:
    """The exit code of a command line; every exit that is not 0 has a last line."""
    try:
        code = _dispatch(words)
        sys.stdout.flush()
        return code
    except BaseException as error:
        if when_it_fails is not None:
            when_it_fails()
        from foveate.pipeline.processes.last_line import end_with

        return end_with(error, words)


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

        hint = did_you_mean(OTHER_NAMES.get(words[0], words[0]), [*COMMANDS, *ASKS])
        raise SystemExit(f"no command {words[0]!r}{hint} (commands: {', '.join(COMMANDS)}; see: foveate --help)")
    from foveate.pipeline.startup import keep_freed_memory, show_log
    from foveate.pipeline.threads import choose_threads

    choose_threads()
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
        from foveate.pipeline.command_line import TABLE, run_function

        TABLE.set(COMMANDS)
        run_function(f"foveate {words[0]}", target, words[1:])
    return 0


def overview() -> str:
    """The help: every command with an example."""
    from foveate.pipeline.help_layout import columns, fold, fold_command, terminal_width

    width = terminal_width()
    purpose = "foveate trains, compares and ships vision models whose attention is pluggable."
    lines = [*fold(purpose, width), "", "commands:"]
    beside = max(map(len, COMMANDS)) + 1
    for name, command in COMMANDS.items():
        lines += columns([(name, command.summary)], beside, width)
        lines += fold_command(command.example, 4 + beside if width is None or width >= WIDE else 6, width)
    lines += ["", *fold("foveate COMMAND --help tells more. First steps: foveate data make data/scenes, then", width)]
    lines += fold_command("foveate fit --config synthetic_segnext_t --data.root data/scenes", 0, width)
    codes = (
        "exit codes: 0 done, 2 recipe or command line, 3 data, 4 checkpoint, 5 plugin, 6 diverged,",
        "129 terminal closed, 130 Ctrl-C, 143 SIGTERM, 138 the machine failed and trying again may help, 1 a bug",
    )
    lines += ["", *(codes if width is None or width >= WIDE else fold(" ".join(codes), width))]
    return "\n".join(lines)


def _version() -> str:
    from importlib.metadata import version

    return version("foveate")


def _train(command: str, words: list[str]) -> None:
    """Show the short help, or import what training needs and run the command."""
    if topic := _topic(words):
        from foveate.pipeline.commands.options import lines_of
        from foveate.pipeline.training.flags import value_of

        print("\n".join(lines_of(topic, value_of(words, "--config"), value_of(words, "--plugins") or "")))
        return
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


def _topic(words: list[str]) -> str:
    """The word after `--help`, such as data or loss; empty without one."""
    following = [after for word, after in pairwise(words) if word in ("-h", "--help") and not after.startswith("-")]
    return following[0] if following else ""


def _import_named() -> None:
    """Import data modules and tasks, which recipes name by class without a module."""
    importlib.import_module("foveate.pipeline.startup").import_named()


def run() -> None:
    """Run the command line of this process, and end it with its exit code.

    After a signal or a failure of the machine, nothing is waited for: neither for reading processes that hang, nor for
    other processes of the training, which are ended.
    """
    code = main()
    if "torch" not in sys.modules or code in (0, 2):
        sys.exit(code)
    from foveate.pipeline.processes.peers import end_children, is_one_of_several

    if code >= 128 or is_one_of_several():
        from foveate.datasets.loading.workers import kill_workers

        kill_workers()
        end_children()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    run()
