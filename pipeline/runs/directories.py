"""Run directories: numbered, one per training, with a link to the latest.

runs/latest -> camvid_segnext_t/0002, the newest that has trained a step
runs/camvid_segnext_t/0002/{recipe.yaml, metrics.csv, checkpoints/{best,last}.ckpt, overlays/, summary.md}
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from foveate.pipeline.errors import ConfigError

RUN_DIR_VARIABLE = "FOVEATE_RUN_DIR"  # tells the processes that the first one starts which directory it chose
RUNS = "runs"  # where runs are kept unless --trainer.default_root_dir says otherwise
CHECKPOINTS = "checkpoints"
RECIPE = "recipe.yaml"
SAFE_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # on Windows no file has such a name


def global_rank() -> int:
    """The rank of this process, from the launcher's environment variables; 0 for a single process."""
    if "NODE_RANK" in os.environ and "LOCAL_RANK" in os.environ and "RANK" not in os.environ:
        return int(os.environ["LOCAL_RANK"])  # Lightning's launcher, perhaps within one task of SLURM
    for variable in ("RANK", "SLURM_PROCID", "LOCAL_RANK"):
        if variable in os.environ:
            return int(os.environ[variable])
    return 0


def choose_run(root: Path, name: str) -> Path:
    """A new run directory. The first process creates it; the others read its path from the environment.

    `latest` is not changed before the run has trained a step (see `point_latest`).

    Args:
        root: Where runs are kept.
        name: The recipe's name.

    Raises:
        ConfigError: The name is not a plain folder name, or the directory cannot be created.
    """
    if global_rank() > 0:
        return Path(os.environ.get(RUN_DIR_VARIABLE, str(root / name / "other-process")))
    run = _create_next(root, name)
    hand_on(run)
    return run


def hand_on(run: Path) -> None:
    """Pass the run directory to the processes that this one starts."""
    os.environ[RUN_DIR_VARIABLE] = str(run)


def point_latest(run: Path) -> None:
    """Point `latest` at a run, among those of its recipe and among all."""
    for link in (run.parent / "latest", run.parent.parent / "latest"):
        _point(link, run)


def _create_next(root: Path, name: str) -> Path:
    if not SAFE_NAME.fullmatch(name) or name in (".", "..") or DEVICES.fullmatch(name):
        raise ConfigError(
            f"a run's name is 1 to 128 letters, digits, '.', '_' and '-', and no device of Windows: {name!r}"
        )
    number = max([int(run.name) for run in list_runs(root, name)], default=0)
    while True:
        number += 1
        run = (root / name / f"{number:04d}").absolute()
        try:
            run.mkdir(parents=True)
        except FileExistsError:  # another training created it at the same moment
            if run.parent.is_dir():
                continue
            raise ConfigError(f"{run.parent}: cannot hold runs: a file is in the way") from None
        except OSError as error:
            raise ConfigError(f"{run}: cannot be made: {error.strerror} (--trainer.default_root_dir)") from error
        return run


def _point(link: Path, run: Path) -> None:
    fresh = link.with_name(f".{link.name}-{os.getpid()}")
    try:
        fresh.symlink_to(os.path.relpath(run, link.parent), target_is_directory=True)
        fresh.replace(link)
    except OSError:  # a file system without links: the run exists anyway
        fresh.unlink(missing_ok=True)


def list_runs(root: Path, name: str) -> list[Path]:
    """The runs of a recipe, oldest first, ordered by number and not by time stamps."""
    numbered = (p for p in (root / name).glob("*") if p.name.isdigit() and p.is_dir())
    return sorted(numbered, key=lambda run: int(run.name))


def short(path: Path) -> str:
    """A path for display: relative to the current folder if it lies below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def run_of(checkpoint: Path) -> Path | None:
    """The run directory a checkpoint lies in, if it lies in one."""
    run = checkpoint.parent.parent
    return run if checkpoint.parent.name == CHECKPOINTS and (run / RECIPE).is_file() else None
