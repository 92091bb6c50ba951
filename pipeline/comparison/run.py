"""Runs a study: tries, measures and trains the blocks in turn, and writes the report after each training."""

from __future__ import annotations

import json
import math
import os
import platform
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import lightning
import torch
from rich.table import Table

from foveate.pipeline.comparison.bootstrap import SCORES
from foveate.pipeline.comparison.entries import Entry
from foveate.pipeline.comparison.findings import EXPLAINED, as_values, tell, tell_plan
from foveate.pipeline.comparison.measures import Candidate, Measures, are_current, measure, try_out
from foveate.pipeline.comparison.order import Cells, Rule, Trainings
from foveate.pipeline.comparison.page import write_report
from foveate.pipeline.comparison.planning import plan
from foveate.pipeline.comparison.result import RESULT, Cell, read_cell, run_cell
from foveate.pipeline.comparison.study import Study
from foveate.pipeline.comparison.table import Row, cells_of, headings
from foveate.pipeline.errors import Stopped, known_cause
from foveate.pipeline.files import write_text
from foveate.pipeline.notes import note
from foveate.pipeline.text import duration, first_line
from foveate.plugins.tables import create_console

MEASURES = "measures.json"
DECIDING, SHOWN = 4, ("MMACs", "parameters", "memory MiB")  # columns printed on the terminal: the first four, and these
VERDICTS = "verdicts.json"


def carry_out(
    study: Study, entries: Sequence[Entry], *, seeds: int, rounds: int, limit: int, rule: Rule | None = None
) -> tuple[list[Row], str]:
    """Run the trainings that are not complete yet, and write the report after each of them.

    Args:
        study: The settings that all blocks share.
        entries: The blocks; the first one is the baseline.
        seeds: Number of seeds (trainings) per block; with a rule, of first seeds.
        rounds: Number of timed runs of each block.
        limit: Largest receptive field that is measured, in pixels; 0 skips it.
        rule: When the comparison ends; None ends after the given seeds.

    Returns:
        The blocks, and `mIoU` or `accuracy`.
    """
    study.settle()
    started = time.monotonic()
    faults: dict[str, str] = {}
    candidates = _try_out(study, entries, faults)
    score: str = candidates[0].task.figure
    measures = _measure(study, candidates, rounds, limit)
    del candidates  # frees the memory of their networks
    cells = _read_kept(study, entries, seeds if rule is None else rule.most_seeds)
    trainings = Trainings(entries, cells, faults, seeds, score, rule)
    files: list[Path] = []
    planned = False
    for entry, seed, progress in trainings:
        if rule is not None and seed >= seeds and not planned:
            _tell_plan(trainings, rule)
            planned = True
        _run(study, entry, seed, faults, progress, score, cells)
        rows = _rows(entries, faults, measures, cells)
        files = write_report(study.out, _title(study), _facts(study, rows), rows, score, _findings(trainings))
    rows = _rows(entries, faults, measures, cells)
    found = _findings(trainings)
    files = write_report(study.out, _title(study), _facts(study, rows), rows, score, found)
    if rule is not None:
        write_text(study.out / VERDICTS, json.dumps(as_values(trainings.verdicts(rule)), indent=2) + "\n")
        files.append(study.out / VERDICTS)
    _print(rows, score)
    print("\n".join(found), flush=True)
    print(f"{duration(time.monotonic() - started)}; written: {', '.join(map(str, files))}", flush=True)
    return rows, score


def foresee(study: Study, entries: Sequence[Entry], seeds: int) -> Iterator[str]:
    """The trainings that a comparison would run, in words; every block takes one step, and nothing is written.

    Args:
        study: The settings that all blocks share.
        entries: The blocks.
        seeds: Number of (first) seeds per block.
    """
    faults: dict[str, str] = {}
    _try_out(study, entries, faults)
    kept = _read_kept(study, entries, seeds)
    works = [entry for entry in entries if entry.label not in faults]
    open_ = [(entry.label, seed) for seed in range(seeds) for entry in works if (entry.label, seed) not in kept]
    yield from (f"{label}, seed {seed}: {study.steps} steps" for label, seed in open_)
    yield f"{len(open_)} trainings of {study.steps} steps would run, {len(kept)} are done; results go to {study.out}"


def _tell_plan(trainings: Trainings, rule: Rule) -> None:
    """Print how many seeds and images are needed, from the first trainings."""
    evidence = [verdict.evidence for verdict in trainings.verdicts(rule).values()]
    note("\n".join(tell_plan(plan(evidence, rule.detect), rule.detect, _images(trainings))))


def _images(trainings: Trainings) -> int:
    return len(next(iter(trainings.cells.values())).counts) if trainings.cells else 0


def _findings(trainings: Trainings) -> list[str]:
    """What is known of each block, in words; nothing without a rule."""
    rule = trainings.rule
    if rule is None:
        return []
    baseline = trainings.entries[0].label
    lines = []
    for label, verdict in trainings.verdicts(rule).items():
        times = [cell.cost for (owner, _), cell in trainings.cells.items() if owner == label]
        seconds = sum(times) / len(times) if times else math.nan
        lines.append(tell(label, verdict, baseline, detect=rule.detect, seconds=seconds, images=_images(trainings)))
    ended = [f"ended: {trainings.ended}"] if trainings.ended else []
    return [*lines, *ended, EXPLAINED]


def _try_out(study: Study, entries: Sequence[Entry], faults: dict[str, str]) -> list[Candidate]:
    """The blocks that completed a training step; the errors of the others are added to `faults`.

    Raises:
        ConfigError: No block works, so the recipe or the command line is at fault.
    """
    candidates, last = [], None
    for entry in entries:
        try:
            candidates.append(try_out(study, entry))
        except (KeyboardInterrupt, Stopped):
            raise
        except BaseException as error:  # a plugin may raise anything, also SystemExit
            faults[entry.label], last = first_line(known_cause(error)), error
            note(f"{entry.label}: left out: {faults[entry.label]}")
    if not candidates and last is not None:
        raise last
    return candidates


def _measure(study: Study, candidates: Sequence[Candidate], rounds: int, limit: int) -> dict[str, Measures]:
    """The stored measurements; if one is missing, all are repeated: times of different runs cannot be compared."""
    file = study.out / MEASURES
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    labels = [candidate.entry.label for candidate in candidates]
    if [label for label, figures in known.items() if label in labels and are_current(figures, limit)] != labels:
        note(f"measuring {len(labels)} blocks in turn")
        measured = measure(study, candidates, rounds=rounds, limit=limit)
        known = {label: figures.as_values() for label, figures in measured.items()}
        write_text(file, json.dumps(known, indent=2) + "\n")
    return {label: Measures.from_values(known[label]) for label in labels}


def _run(
    study: Study, entry: Entry, seed: int, faults: dict[str, str], progress: str, score: str, cells: Cells
) -> None:
    """Run one training unless its result is stored; the result is added to `cells`."""
    what = f"{progress} {entry.label}, seed {seed}"
    if entry.label in faults:
        return
    if (entry.label, seed) in cells:
        note(f"{what}: done before")
        return
    note(f"{what}: {study.steps} steps")
    try:
        cell = cells[entry.label, seed] = run_cell(study, entry, seed)
    except (KeyboardInterrupt, Stopped):
        raise
    except BaseException as error:
        faults[entry.label] = first_line(known_cause(error))
        note(f"{what}: failed: {faults[entry.label]}")
        return
    note(f"{what}: {_score(cell, score)} in {cell.seconds:.0f} s")


def _score(cell: Cell, score: str) -> str:
    return f"{score} {100 * float(SCORES[score](cell.counts.sum(0))):.1f} %"


def _read_kept(study: Study, entries: Sequence[Entry], seeds: int) -> Cells:
    """The stored results of earlier trainings."""
    places = {(entry.label, seed): study.folder(entry, seed) / RESULT for entry in entries for seed in range(seeds)}
    return {key: cell for key, path in places.items() if (cell := read_cell(path)) is not None}


def _rows(entries: Sequence[Entry], faults: dict[str, str], measures: dict[str, Measures], cells: Cells) -> list[Row]:
    rows = []
    for entry in entries:
        own = {seed: cell for (label, seed), cell in cells.items() if label == entry.label}
        rows.append(Row(entry.label, faults.get(entry.label, ""), measures.get(entry.label), own))
    return rows


def _title(study: Study) -> str:
    return f"{study.name}: blocks in slot{'s' * (len(study.slots) > 1)} {', '.join(study.slots)}"


def _facts(study: Study, rows: Sequence[Row]) -> list[str]:
    seeds = max((len(row.cells) for row in rows), default=0)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} CPU threads"
    return [
        f"{study.steps} steps, up to {seeds} seeds; flags: {' '.join(study.flags) or 'none'}.",
        *([] if study.start is None else [study.start.describe(_distilling(rows))]),
        f"{device} of {os.cpu_count()} cores, {platform.system()} {platform.machine()}; "
        f"Python {platform.python_version()}, torch {torch.__version__}, lightning {lightning.__version__}.",
    ]


def _distilling(rows: Sequence[Row]) -> list[float]:
    """Seconds that each distilled encoder took; NaN for other starts."""
    return [cell.distilling for row in rows for cell in row.cells.values()]


def _print(rows: Sequence[Row], score: str) -> None:
    """Print the most important columns of the table; the others are in the files."""
    shown = [place for place, text in enumerate(headings(score)) if text in SHOWN or place < DECIDING]
    table = Table(box=None, pad_edge=False)
    for place in shown:
        table.add_column(headings(score)[place], justify="right" if place else "left", no_wrap=True)
    for row in rows:
        texts = cells_of(row, rows[0], score)
        table.add_row(*(texts[place] for place in shown))
    create_console().print(table, markup=False)
