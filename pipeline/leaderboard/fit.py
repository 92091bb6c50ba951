"""One training of a leaderboard, from its block and seed to its record."""

from __future__ import annotations

import hashlib
import math
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import numpy as np
import torch
from torch import Tensor

from foveate.datasets.fingerprint import take_fingerprint
from foveate.pipeline.comparison.entries import Entry
from foveate.pipeline.comparison.result import Losses, train_cell
from foveate.pipeline.comparison.study import CellCLI, Study
from foveate.pipeline.leaderboard.costs import measure_costs
from foveate.pipeline.leaderboard.figures import figures_of
from foveate.pipeline.leaderboard.protocol import Protocol, Track, hash_of
from foveate.pipeline.leaderboard.record import FORMAT, pack
from foveate.pipeline.leaderboard.sources import hashes, providers
from foveate.pipeline.measuring.receptive_field import effective_reach
from foveate.pipeline.runs.circumstances import describe_circumstances
from foveate.pipeline.runs.recipes import accept
from foveate.pipeline.runs.trace import checksums

KEPT = 10  # losses and batches in a record, from the start
LAST = 20  # steps whose mean loss is recorded
OMITTED = ("recipe", "code", "plugins", "data", "processes")  # of the circumstances: recorded elsewhere, or always so


@dataclass
class Watch(Losses):
    """Record the loss of each step, and what the first batches hold.

    Attributes:
        batches: A hash of the pixels and labels of each of the first batches.
    """

    batches: list[str] = field(default_factory=list)

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Hash a batch before anything changes it."""
        if len(self.batches) < KEPT:
            self.batches.append(hash_batch(batch))


def hash_batch(batch: Any) -> str:
    """A hash of a batch's pixels and labels; empty for a batch of another form.

    Args:
        batch: As a data module yields it.
    """
    found = checksums(batch)
    if found is None:
        return ""
    sums = "|".join(one.rpartition("=")[2] for one in str(found).split("|"))
    return hashlib.sha256(sums.encode()).hexdigest()[:16]


def create_study(track: Track, data: Path, modules: list[str]) -> Study:
    """The settings that all trainings of a track share.

    Args:
        track: The track.
        data: The folder that holds the data sets' folders.
        modules: Modules given with --plugins.
    """
    return Study(
        name=track.name,
        recipe=accept(dict(track.recipe), modules),
        slots=(track.slot,),
        steps=track.steps,
        out=Path(track.name),  # nothing is written there
        flags=["--data.root", str(data / track.folder), "--trainer.enable_progress_bar", "false"],
        modules=modules,
    )


def fit_record(protocol: Protocol, track: Track, study: Study, entry: Entry, seed: int) -> dict[str, Any]:
    """Train a block with a seed, and measure its costs; all parts of its record.

    Args:
        protocol: The protocol.
        track: The table.
        study: The settings of the track.
        entry: The block.
        seed: The seed.
    """
    costs = measure_costs(study, entry)
    cli = study.build(entry, seed)
    watch = Watch()
    begun = time.process_time()
    cell = train_cell(cli, watch)
    spent = time.process_time() - begun
    names = [str(name) for name in cli.datamodule.label_set.names]
    return {
        "format": FORMAT,
        "protocol": {"version": protocol.version, "sha256": track.sha256},
        "track": track.name,
        "slot": track.slot,
        "block": {"label": entry.label, "spec": entry.spec, "providers": providers(entry.spec)},
        "seed": seed,
        "result": {
            **figures_of(cell.counts, track.score, names),
            "confusion": cli.counts.confusion.tolist(),
            "images": pack(cell.counts),
        },
        "training": {
            "steps": track.steps,
            "losses": [_number(loss) for loss in watch.values[:KEPT]],
            "last_loss": _number(float(np.mean(watch.values[-LAST:]))),
            "batches": watch.batches,
            "cpu_seconds": round(spent, 1),
        },
        "costs": {**costs, "effective_field": round(effective_reach(cell.reach), 1)},
        "data": describe_data(cli.datamodule),
        "code": hashes(entry.spec),
        "environment": describe_environment(cli),
    }


def describe_data(data: Any) -> dict[str, Any]:
    """What the data are recognised by: names and sizes of the files of train and val.

    Args:
        data: The data module, after `setup`.
    """
    found = asdict(take_fingerprint(data))
    found["splits"] = {name: split for name, split in found["splits"].items() if name in ("train", "val")}
    samples = {name: split["samples"] for name, split in found["splits"].items()}
    return {"sha256": hash_of(found), "samples": samples}


def describe_environment(cli: CellCLI) -> dict[str, Any]:
    """Machine and libraries, as far as they may change last bits.

    Args:
        cli: Task, data and trainer.
    """
    found = describe_circumstances({}, modules=[], data=cli.datamodule, processes=1)
    kept = {name: value for name, value in found.items() if name not in OMITTED}
    return {**kept, "system": f"{platform.system()} {platform.machine()}", "foveate": version("foveate")}


def _number(value: float | Tensor) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def is_same_machine(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether two environments compute the same bits: all of it but Foveate's version is the same.

    Args:
        before: Of a record.
        now: Of this process.
    """
    return {**before, "foveate": ""} == {**now, "foveate": ""} and torch.get_num_threads() == now["threads"]
