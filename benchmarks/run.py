"""Runs cases by name, keeps what each measured, and writes RESULTS.md.

    python -m foveate.benchmarks.run run                    all cases that are not done yet
    python -m foveate.benchmarks.run run confusion --again  one case, again
    python -m foveate.benchmarks.run report                 benchmarks/RESULTS.md from what is kept
    python -m foveate.benchmarks.race --help                the race, which takes hours, is a command of its own

Run `make bench` once, which makes the environment .venv-bench. What a run measured lies in `--out` and is copied to
benchmarks/measured, from which the report is written: one row can be measured again, on another machine too, and the
others stay.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

from foveate.benchmarks.results import Result, Settings

HERE = Path(__file__).parent
# In the order of the report; each is a module with `run(settings)`.
CASES = (
    "peaks",
    "training_step",
    "inference",
    "training_sample",
    "confusion",
    "deformable",
    "depthwise",
    "figures",
    "memory",
    "classification",
    "compiling",
    "scaling",
    "processes",
    "listing",
    "rasterising",
    "folders",
    "bands",
    "checking",
    "augmentation",
    "scoring",
)
# Cases that compute on the device; the others read files or need several processes of a CPU.
ON_A_GPU = (
    *("peaks", "training_step", "inference", "confusion", "depthwise", "figures", "memory"),
    *("classification", "compiling", "augmentation"),
)
REPORTS = {"cpu": "RESULTS.md", "cuda": "RESULTS-gpu.md"}
MEASURED = HERE / "measured"


def main() -> None:
    """The command."""
    options = parse()
    settings = Settings(threads=options.threads, device=options.device, out=options.out, rounds=options.rounds)
    if options.task == "case":
        carry_out(options.cases[0], settings)
        return
    failed = []
    if options.task == "run":
        todo = options.cases or (CASES if settings.device == "cpu" else ON_A_GPU)
        failed = [case for case in todo if not is_done(case, settings, options.again) and not start(case)]
    write(settings)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["run", "report", "case"], help="`case` is a run in this very process")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"{', '.join(CASES)}; all if none is named")
    parser.add_argument("--threads", type=int, default=2, help="of torch (2)")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--rounds", type=float, default=1.0, help="factor on the number of rounds, such as 0.3 (1)")
    parser.add_argument("--out", type=Path, help="where figures are kept (runs/bench, or runs/bench-cuda)")
    parser.add_argument("--again", action="store_true", help="measure what is done too")
    options = parser.parse_args()
    options.out = options.out or Path("runs/bench" if options.device == "cpu" else "runs/bench-cuda")
    for case in options.cases:
        if case not in CASES:
            parser.error(f"no case named {case!r} (cases: {', '.join(CASES)})")
    return options


def is_done(case: str, settings: Settings, again: bool) -> bool:
    """Whether a case's figures are there."""
    return not again and (settings.out / f"{case}.json").is_file()


def start(case: str) -> bool:
    """A case in a process of its own, with the words of this one: what one loads does not weigh on the next."""
    started = time.monotonic()
    words = [word for word in sys.argv[1:] if word not in CASES and word not in ("run", "--again")]
    print(f"{case} ...", end=" ", flush=True)
    done = subprocess.run([sys.executable, "-W", "ignore", "-m", "foveate.benchmarks.run", "case", case, *words])
    print("failed" if done.returncode else f"{time.monotonic() - started:.0f} s", flush=True)
    return done.returncode == 0


def carry_out(case: str, settings: Settings) -> None:
    """Measure, here."""
    from foveate.benchmarks import facts

    found = facts.gather(settings.threads)
    result: Result = importlib.import_module(f"foveate.benchmarks.{case}").run(settings)
    result.facts = found
    result.save(settings.out)


def write(settings: Settings) -> None:
    """The report, from all that is kept."""
    from foveate.benchmarks import race_report, report

    kept = keep(settings.out, MEASURED / settings.device)
    on_cpu = settings.device == "cpu"
    if on_cpu:
        race_report.write(settings.out / "race", HERE)
    target = HERE / REPORTS[settings.device]
    target.write_text(report.write(kept, HERE if on_cpu else None))
    print(f"wrote {target}")


def keep(out: Path, measured: Path) -> list[Result]:
    """Copy what a run measured to where figures are kept; all that is kept, in the order of the report."""
    measured.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        if (path := out / f"{case}.json").is_file():
            shutil.copyfile(path, measured / path.name)
    return [Result.load(path) for case in CASES if (path := measured / f"{case}.json").is_file()]


if __name__ == "__main__":
    main()
