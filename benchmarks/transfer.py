"""What pre-trained weights are worth at the same number of steps: the tables of docs/transfer.md.

    python benchmarks/transfer.py --cifar10 ~/cifar10 --camvid ~/camvid --weights mobilenet_v2.safetensors --jobs 2

Each training is a process of its own; with --jobs several run side by side, one thread each. What is done is not done
again, so that the command goes on where it stopped; the minutes of all its turns are added up.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

SEEDS = (0, 1, 2)
SCENES = ("--data.root", "{out}/scenes")


@dataclass(frozen=True)
class Run:
    """A training, its flags, and the name of its score."""

    name: str
    recipe: str
    flags: tuple[str, ...]
    score: str
    weights: str = ""  # a file, or "run:NAME" for the last checkpoint of another run with the same seed
    tested: bool = False  # by `foveate test`, else by the validation at the end

    def command(self, out: Path, seed: int, places: dict[str, str]) -> list[str]:
        """The words of its `foveate fit`."""
        places = {**places, "out": str(out)}
        words = ["fit", "--config", self.recipe, *(flag.format(**places) for flag in self.flags)]
        words += ["--seed_everything", str(seed), "--trainer.default_root_dir", str(out / "runs" / self.folder(seed))]
        words += ["--trainer.enable_progress_bar", "false"]
        if self.weights:
            words += ["--model.weights", self.source(out, seed, places)]
        return words

    def source(self, out: Path, seed: int, places: dict[str, str]) -> str:
        """Where the weights are that it starts from."""
        kind, _, name = self.weights.partition(":")
        if kind != "run":
            return self.weights.format(**places)
        return str(out / "runs" / f"{name}-{seed}" / "latest/checkpoints/last.ckpt")

    @property
    def group(self) -> str:
        """The table that it belongs to."""
        return self.name.split("-")[0]

    def can_go(self, places: Mapping[str, str]) -> bool:
        """Whether all that it reads was given."""
        words = " ".join((*self.flags, self.weights))
        return all(f"{{{name}}}" not in words or name in places for name in PLACES)

    def folder(self, seed: int) -> str:
        """Of its run."""
        return f"{self.name}-{seed}"


def short(steps: int) -> tuple[str, ...]:
    """One validation, at the end of so many steps."""
    return (
        *("--trainer.max_steps", str(steps), "--trainer.max_epochs", "-1"),
        *("--trainer.val_check_interval", str(steps), "--trainer.check_val_every_n_epoch", "null"),
    )


CIFAR = (
    *("--data.root", "{cifar10}", "--data.batch_size", "32", "--data.num_workers", "0", "--model.ema", "null"),
    *("--model.mixing.probability", "0", "--trainer.precision", "32-true", *short(100)),
)
CAMVID = (
    *("--data.root", "{camvid}", "--data.batch_size", "4", "--data.num_workers", "0", "--data.scale", "[0.5,1.25]"),
    *short(60),
)
RUNS = (
    Run("cifar-weights", "cifar10_mobilenet_v2", (*CIFAR, "--model.optimizer.lr", "5e-4"), "acc", "{weights}"),
    Run("cifar-nothing", "cifar10_mobilenet_v2", (*CIFAR, "--model.optimizer.lr", "2e-3"), "acc"),
    Run(
        "camvid-weights",
        "camvid_mobilenet_v2_deeplabv3plus",
        (*CAMVID, "--model.optimizer.lr", "2e-4", "--model.optimizer.decoder_lr_multiplier", "10"),
        "miou",
        "{weights}",
    ),
    Run(
        "camvid-nothing",
        "camvid_mobilenet_v2_deeplabv3plus",
        (*CAMVID, "--model.optimizer.lr", "2e-3", "--model.optimizer.decoder_lr_multiplier", "1"),
        "miou",
    ),
    Run("walk-digits", "digits_mscan_t", short(200), "acc", tested=True),
    Run("walk-patches", "patches_mscan_t", (*SCENES, *short(100)), "acc", "run:walk-digits", tested=True),
    Run("walk-patches-nothing", "patches_mscan_t", (*SCENES, *short(100)), "acc", tested=True),
    Run("walk-scenes", "synthetic_segnext_t", (*SCENES, *short(150)), "miou", "run:walk-patches"),
    Run("walk-scenes-nothing", "synthetic_segnext_t", (*SCENES, *short(150)), "miou"),
)


def main() -> None:
    """Carry out what is asked for and not done, and print the tables."""
    options = parse()
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    places = {
        name: str(Path(value).expanduser().resolve())
        for name, value in vars(options).items()
        if name in PLACES and value
    }
    chosen = [run for run in RUNS if run.group in options.only and run.can_go(places)]
    watch = Watch(out / "minutes.json")
    if any(SCENES[1] in run.flags for run in chosen):
        make_scenes(out)
    chains = [(seed, chain) for seed in SEEDS for chain in in_turn(chosen)]  # an unfinished table has every row
    with ThreadPoolExecutor(options.jobs) as pool:
        waiting = [pool.submit(carry_out, chain, seed, out, places, watch) for seed, chain in chains]
        try:
            for one in waiting:
                one.result()
        finally:
            pool.shutdown(cancel_futures=True)
            watch.keep()
    print(tables(out))
    print(f"\n{watch.minutes():.0f} minutes of wall clock in all")


class Watch:
    """Minutes of wall clock, of this turn and of those before it that were cut off.

    Args:
        path: Where they are kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.before: float = json.loads(path.read_text()) if path.is_file() else 0.0
        self.started = time.monotonic()
        self.lock = Lock()  # trainings side by side end when they like

    def minutes(self) -> float:
        """So far."""
        return self.before + (time.monotonic() - self.started) / 60

    def keep(self) -> None:
        """Write them down, whole or not at all."""
        draft = self.path.with_suffix(".tmp")
        with self.lock:
            draft.write_text(json.dumps(self.minutes()))
            draft.replace(self.path)


def in_turn(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs that need each other's weights one after the other, the rest by themselves."""
    chains: list[list[Run]] = []
    for run in runs:
        source = run.weights.removeprefix("run:")
        before = next((chain for chain in chains if any(one.name == source for one in chain)), None)
        chains.append([run]) if before is None else before.append(run)
    return chains


def make_scenes(out: Path) -> None:
    """What the walk learns from."""
    if not (out / "scenes").is_dir():
        call("data", "make", str(out / "scenes"), "--train", "256", "--val", "32", "--size", "128x256")


PLACES = ("cifar10", "camvid", "weights")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar10", help="folder or archive of CIFAR-10")
    parser.add_argument("--camvid", help="folder of CamVid")
    parser.add_argument("--weights", help="MobileNetV2 1.0 with ImageNet weights")
    parser.add_argument("--only", nargs="+", default=["cifar", "camvid", "walk"], help="cifar, camvid, walk")
    parser.add_argument("--jobs", type=int, default=1, help="trainings side by side, one thread each")
    parser.add_argument("--out", type=Path, default=Path("runs/transfer"), help="where results are kept")
    return parser.parse_args()


def carry_out(chain: Sequence[Run], seed: int, out: Path, places: dict[str, str], watch: Watch) -> None:
    """Train what was not trained yet, one after the other."""
    for run in chain:
        if not (out / f"{run.folder(seed)}.json").is_file():
            train(run, seed, out, places)
            watch.keep()


def train(run: Run, seed: int, out: Path, places: dict[str, str]) -> None:
    """Train, and keep the score."""
    started = time.monotonic()
    call(*run.command(out, seed, places))
    folder = out / "runs" / run.folder(seed) / "latest"
    written = folder / "val-last.json"
    if run.tested:
        call("test", "--ckpt_path", str(folder / "checkpoints/last.ckpt"))
        written = folder / "test-last.json"
    value = json.loads(written.read_text())[run.score]
    minutes = (time.monotonic() - started) / 60
    (out / f"{run.folder(seed)}.json").write_text(json.dumps({"score": value, "minutes": minutes}))
    print(f"{run.folder(seed)}: {100 * value:.1f} % in {minutes:.1f} min", flush=True)


def call(*words: str) -> None:
    """The command in a process of its own; its output is shown only where it fails."""
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-m", "foveate.cli", *words], capture_output=True, text=True, env=one_thread)
    if done.returncode:
        sys.exit(f"foveate {' '.join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")


def tables(out: Path) -> str:
    """A line for each run: the mean over the seeds, each seed, and the minutes of all."""
    lines = ["| run | mean % | seeds % | minutes |", "|---|--:|---|--:|"]
    for run in RUNS:
        kept = [json.loads(file.read_text()) for seed in SEEDS if (file := out / f"{run.folder(seed)}.json").is_file()]
        if kept:
            scores = [100 * one["score"] for one in kept]
            each = ", ".join(f"{score:.1f}" for score in scores)
            minutes = sum(one["minutes"] for one in kept)
            lines.append(f"| {run.name} | {statistics.mean(scores):.1f} | {each} | {minutes:.1f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
