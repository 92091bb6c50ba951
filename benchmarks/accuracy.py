"""The recipes of docs/accuracy.md, trained to their end, and the tables of their scores.

    python benchmarks/accuracy.py --camvid ~/camvid --cifar10 ~/cifar10_5000 --weights mobilenet_v2.safetensors

One training after the other, on all cores. What is done is not done again, and a training that was cut off goes on at
its last checkpoint. With --steps the trainings are shorter than the recipes, and the table says so.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Entry:
    """A recipe to train.

    Attributes:
        recipe: Its name.
        data: The option that says where its data are.
        pretrained: Whether it starts from the weights.
    """

    recipe: str
    data: str
    pretrained: bool = False


ENTRIES = (
    Entry("camvid_mobilenet_v2_light_ham", "camvid", pretrained=True),
    Entry("camvid_segnext_t", "camvid"),
    Entry("cifar10_mobilenet_v2_imagenet", "cifar10", pretrained=True),
    Entry("cifar10_mobilenet_v2_cpu", "cifar10"),
)


def main() -> None:
    """Train what is asked for and not done, and print the tables."""
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    for seed in options.seeds:
        for entry in chosen(options):
            if not kept(options.out, entry, seed, options.steps).is_file():
                train(entry, seed, options)
    print("\n".join(tables(options.out)))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--camvid", help="folder of CamVid")
    parser.add_argument("--cifar10", help="folder of CIFAR-10, or of a part of it")
    parser.add_argument("--weights", help="MobileNetV2 1.0 with ImageNet weights")
    parser.add_argument("--only", nargs="+", default=[entry.recipe for entry in ENTRIES], help="recipes")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--steps", type=int, help="train so many steps, in place of the recipe's")
    parser.add_argument("--out", type=Path, default=Path("runs/accuracy"), help="where results are kept")
    parser.add_argument("more", nargs="*", help="flags of foveate fit, after --; then give another --out")
    return parser.parse_args()


def chosen(options: argparse.Namespace) -> Iterator[Entry]:
    """The entries that are asked for and whose files were given."""
    for entry in ENTRIES:
        given = getattr(options, entry.data) and (options.weights or not entry.pretrained)
        if entry.recipe in options.only and given:
            yield entry


def kept(out: Path, entry: Entry, seed: int, steps: int | None) -> Path:
    """Where the result of a training is kept."""
    return out / f"{entry.recipe}-{steps or 'all'}-{seed}.json"


def command(entry: Entry, seed: int, options: argparse.Namespace, folder: Path) -> list[str]:
    """The words of its `foveate fit`."""
    words = ["fit", "--config", entry.recipe, "--ckpt_path", "auto", "--seed_everything", str(seed)]
    words += ["--data.root", getattr(options, entry.data), "--trainer.default_root_dir", str(folder)]
    words += ["--trainer.enable_progress_bar", "false"]
    if entry.pretrained:
        words += ["--model.weights", options.weights]
    if options.steps:
        words += ["--trainer.max_steps", str(options.steps), "--trainer.val_check_interval", str(options.steps)]
    return [*words, *options.more]


def train(entry: Entry, seed: int, options: argparse.Namespace) -> None:
    """Train to the end, and keep the scores of the last weights and what they took."""
    target = kept(options.out, entry, seed, options.steps)
    folder = options.out / "runs" / target.stem
    spent = options.out / f"{target.stem}.minutes"  # of the turns before, which were cut off
    started, cpu = time.monotonic(), cpu_minutes()
    before = json.loads(spent.read_text()) if spent.is_file() else [0.0, 0.0]
    done = subprocess.run([sys.executable, "-m", "foveate.cli", *command(entry, seed, options, folder)], check=False)
    minutes = [before[0] + (time.monotonic() - started) / 60, before[1] + cpu_minutes() - cpu]
    spent.write_text(json.dumps(minutes))
    if done.returncode:
        sys.exit(done.returncode)
    scores = json.loads(next(folder.glob("*/latest/val-last.json")).read_text())
    result = {"recipe": entry.recipe, "seed": seed, "steps": scores["evaluation"]["step"], "shortened": options.steps}
    target.write_text(json.dumps({**result, "wall": minutes[0], "cpu": minutes[1], "scores": scores}))


def cpu_minutes() -> float:
    """CPU time of all child processes that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) / 60


def tables(out: Path) -> Iterator[str]:
    """A line for each recipe and length, and one with the classes of the segmenters."""
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for path in sorted(out.glob("*.json")):
        result = json.loads(path.read_text())
        groups.setdefault((result["recipe"], result["steps"]), []).append(result)
    yield "| recipe | steps | seeds | val %, mean | each seed | minutes | CPU minutes |"
    yield "|---|--:|---|--:|---|--:|--:|"
    for (recipe, steps), results in groups.items():
        scores = [100 * result["scores"].get("miou", result["scores"].get("acc")) for result in results]
        length = f"{steps}, shortened" if results[0]["shortened"] else str(steps)
        each, seeds = (", ".join(texts) for texts in ((f"{s:.1f}" for s in scores), (str(r["seed"]) for r in results)))
        minutes = " | ".join(f"{statistics.mean(result[key] for result in results):.0f}" for key in ("wall", "cpu"))
        yield f"| `{recipe}` | {length} | {seeds} | {statistics.mean(scores):.1f} | {each} | {minutes} |"
    for (recipe, steps), results in groups.items():
        if "iou" in results[0]["scores"]:
            each = ", ".join(of_classes([result["scores"]["iou"] for result in results]))
            yield f"\n`{recipe}`, {steps} steps, IoU of each class, mean over the seeds: {each}"


def of_classes(tables: Sequence[dict[str, float | None]]) -> Iterator[str]:
    """Each class and its mean IoU over the seeds, if it was there in all."""
    for name in tables[0]:
        values = [table[name] for table in tables]
        known = [value for value in values if value is not None]
        yield f"{name} {100 * statistics.mean(known):.1f}" if len(known) == len(values) else f"{name} -"


if __name__ == "__main__":
    main()
