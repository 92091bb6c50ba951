"""Checks of what masks hold: numbers and colours of no class, and valid ones that are likely wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from foveate.datasets.doctor.check import Check
from foveate.datasets.doctor.facts import Facts
from foveate.datasets.doctor.finding import Found, Place, Severity
from foveate.datasets.doctor.sample import MaskFacts, Trouble
from foveate.datasets.doctor.tables import better_table, classes_of, undefined_in
from foveate.datasets.doctor.wording import masks, percent, several, such_as
from foveate.datasets.labels import IGNORE, INVALID
from foveate.datasets.text import few

SHOWN = 6  # numbers in a message
MUCH_VOID = 0.5  # share of the pixels
RUNGS = 3  # different numbers between others, so that no thin outline is taken for a trace of resizing
BETWEEN, LONELY = 0.3, 0.6  # share of the changes along a row that single pixels make
EDGES = 1000  # changes that are enough to judge


def unknown_classes(facts: Facts) -> Iterable[Found]:
    """Classes that cannot be told."""
    return [Found(message=one.message, count=1) for one in facts.unread if one.kind == "classes"]


def out_of_range(facts: Facts) -> Iterable[Found]:
    """Numbers or colours that stand for no class."""
    places = [place for place, held in _held(facts) if (held.ids.keys == INVALID).any()]
    if places and facts.table is not None:
        values = undefined_in(facts.stored, facts.table)
        files = Counter(value for _, held in _held(facts) for value in _values(held) if value in set(values))
        listed = few((f"{value} ({masks(files[value])}, {facts.stored[value]} px)" for value in values), SHOWN)
        first = facts.splits[places[0].split]
        held = next(one.held for one in first.samples if one.index == places[0].position)
        known = few(map(str, classes_of(facts.table)), 40)
        yield Found(
            message=f"{facts.path(places[0], 'mask')}: label id out of range: {_counts(held, set(values))}; classes "
            f"here are {known}. In all {masks(len(places))}: {listed}. Name them in classes.yaml, ignore them "
            f"(--data.ignore {values[:SHOWN]}), or are these train ids, regular ids or instance ids by mistake?",
            places=places,
            side="mask",
            numbers={"values": {str(value): facts.stored[value] for value in values}},
            values=[INVALID],
        )
    found = [(place, message) for place, _, message in facts.troubles(Trouble.UNKNOWN)]
    if found:
        yield Found(
            message=f"{masks(len(found))} with what no class stands for: {few((text for _, text in found), 3, '; ')}",
            places=[place for place, _ in found],
            side="mask",
        )


def _held(facts: Facts) -> Iterator[tuple[Place, MaskFacts]]:
    for place, sample in facts.samples():
        if sample.held is not None:
            yield place, sample.held


def _values(held: MaskFacts) -> list[int]:
    return [] if held.stored is None else held.stored.keys.tolist()


def _counts(held: MaskFacts | None, values: set[int]) -> str:
    counts = [] if held is None or held.stored is None else held.stored.items()
    return few((f"{value} ({pixels} px)" for value, pixels in counts if value in values), SHOWN)


def in_colour(facts: Facts) -> Iterable[Found]:
    """Masks in colour or with fractions, where numbers are expected."""
    found = [(place, text) for place, _, text in facts.troubles(Trouble.COLOUR, Trouble.FRACTION)]
    if found:
        yield Found(
            message=f"{masks(len(found))} without whole numbers: {few((text for _, text in found), 2, '; ')}",
            places=[place for place, _ in found],
            side="mask",
        )


def lossy(facts: Facts) -> Iterable[Found]:
    """Masks stored as JPEG, whatever their name."""
    places = [place for place, _, _ in facts.troubles(Trouble.LOSSY)]
    if places:
        yield Found(
            message=f"{masks(len(places))} stored as JPEG, {such_as(facts, places, 'mask')}: compression changes "
            "labels at every edge; export them again as PNG. If they hold black and white only: --data.masks binary",
            places=places,
            side="mask",
        )


def resized(facts: Facts) -> Iterable[Found]:
    """Traces of resizing or compression: at edges stand numbers that lie between, or that lie nowhere else."""
    held = [(place, one) for place, one in _held(facts) if one.edges]
    edges = sum(one.edges for _, one in held)
    between, lonely = sum(one.between for _, one in held), sum(one.lonely for _, one in held)
    rungs = max((one.rungs for _, one in held), default=0)
    if edges < EDGES or rungs < RUNGS or (between < BETWEEN * edges and lonely < LONELY * edges):
        return
    places = [place for place, one in held if one.rungs >= RUNGS and one.lonely >= BETWEEN * one.edges]
    if places:
        yield Found(
            message=f"masks look resized with smoothing or compressed: {percent(lonely / edges)} of the edges have a "
            f"single pixel of another class between, {such_as(facts, places, 'mask')}; export the masks again, and "
            "resize them by nearest neighbour only",
            places=places,
            side="mask",
            numbers={"between": between / edges, "lonely": lonely / edges},
        )


def shifted(facts: Facts) -> Iterable[Found]:
    """Numbers that are all classes if one is subtracted: masks that count from 1."""
    values = [] if facts.table is None else undefined_in(facts.stored, facts.table)
    if facts.table is None or facts.labels is None or not values:
        return
    classes = classes_of(facts.table)
    used = {value for value in facts.stored if value not in _ignored(facts)}
    if classes and classes[0] not in used and {value - 1 for value in used} <= set(classes):
        yield Found(
            message=f"masks hold {min(used)} to {max(used)} and classes are {classes[0]} to {classes[-1]}: labels "
            f"begin at 1, so that each is read as the next class; give values from 1 in classes.yaml (the first class: "
            f"{{name: {facts.labels.names[0]}, value: {min(used)}}}), or subtract 1 from the masks",
            count=len(used),
        )
    elif values == [classes[-1] + 1] and set(range(classes[-1] + 2)) <= used:
        yield Found(
            message=f"masks hold 0 to {values[0]}, one number more than there are classes: if 0 is no class, leave it "
            f"out with ignore: [0] and values from 1 in classes.yaml (without one: --data.reduce_zero_label true)",
            count=len(used),
            severity=Severity.WARNING,
        )


def _ignored(facts: Facts) -> set[int]:
    return set() if facts.table is None else {int(v) for v in range(len(facts.table)) if facts.table[v] == IGNORE}


def other_table(facts: Facts) -> Iterable[Found]:
    """Numbers of another known table."""
    if facts.table is None or facts.labels is None or not facts.stored:
        return
    name = better_table(facts.stored, facts.table, facts.labels)
    if name is not None:
        values = few(map(str, sorted(facts.stored)), 40)
        yield Found(
            message=f"masks hold {values}, which {name} fit better than the table that is used: most classes would "
            "be ignored or be other ones; for Cityscapes give --data.labels labelIds or labelTrainIds as the files "
            "are, for folders the right values in classes.yaml",
            count=1,
        )


def palettes(facts: Facts) -> Iterable[Found]:
    """Palettes in which a colour has several numbers, while masks are read by number."""
    if facts.reads != "values":
        return
    numbers: dict[bytes, Counter[int]] = {}
    ignored = _ignored(facts)
    for _, held in _held(facts):
        for number, colour in _entries(held, ignored):
            numbers.setdefault(colour, Counter())[number] += 1
    moved = {colour: counts.most_common(1)[0][0] for colour, counts in numbers.items() if len(counts) > 1}
    if len(moved) < 2:  # one colour that two numbers share says nothing
        return
    places = [
        place
        for place, held in _held(facts)
        if any(colour in moved and moved[colour] != number for number, colour in _entries(held, ignored))
    ]
    if places:
        colour = next(iter(moved))
        yield Found(
            message=f"palettes differ: {list(colour)} is {few(map(str, sorted(numbers[colour])))} in different files, "
            f"and masks are read by number; {masks(len(places))} differ, {such_as(facts, places, 'mask')}: read them "
            "by colour (--data.masks colours, or masks: colours in classes.yaml)",
            places=places,
            side="mask",
        )


def _entries(held: MaskFacts, ignored: set[int]) -> list[tuple[int, bytes]]:
    """Number and colour of each used entry of a palette, without those that are ignored."""
    parts = [held.palette[place : place + 4] for place in range(0, len(held.palette), 4)]
    return [(part[0], part[1:]) for part in parts if part[0] not in ignored]


def much_void(facts: Facts) -> Iterable[Found]:
    """Splits most of whose pixels are ignored."""
    for name in facts.splits if facts.is_segmentation else ():
        pixels = facts.pixels(name)
        share = pixels[IGNORE] / max(1, pixels.sum())
        if share > MUCH_VOID and pixels[:INVALID].any():
            yield Found(
                message=f"{name}: {percent(share)} of all pixels are ignored; are numbers ignored that are classes? "
                "(values under `ignore`, --data.ignore)",
                count=1,
                numbers={"share": float(share)},
                places=_most_void(facts, name),
                side="mask",
            )


def _most_void(facts: Facts, split: str) -> list[Place]:
    """Masks more than half of which is ignored."""
    return [
        Place(split, sample.index)
        for sample in facts.splits[split].samples
        if sample.held is not None and _share(sample.held, IGNORE) > MUCH_VOID
    ]


def _share(held: MaskFacts, number: int) -> float:
    return sum(pixels for key, pixels in held.ids.items() if key == number) / max(1, held.size[0] * held.size[1])


def nothing_labelled(facts: Facts) -> Iterable[Found]:
    """Masks in which every pixel is ignored."""
    for name, split in facts.splits.items():
        held = [sample for sample in split.samples if sample.held is not None and len(sample.held.ids.keys)]
        places = [Place(name, one.index) for one in held if one.held and one.held.ids.keys.tolist() == [IGNORE]]
        if places:
            every = len(places) == len(held)
            yield Found(
                message=f"{name}: every pixel is ignored in {several(len(places), 'mask', 'masks')} of {len(held)}, "
                f"{such_as(facts, places, 'mask')}: nothing is learnt from them; label or remove them",
                places=places,
                side="mask",
                severity=Severity.ERROR if every else Severity.WARNING,
            )


def one_class(facts: Facts) -> Iterable[Found]:
    """Masks that hold one class only; an error if it is the same in all of train."""
    for name in facts.splits if facts.is_segmentation and facts.complete else ():
        total = facts.pixels(name)[:INVALID]
        present = [number for number in range(len(total)) if total[number]]
        places = [Place(name, s.index) for s in facts.splits[name].samples if s.held and _classes(s.held) == 1]
        if name == "train" and len(present) == 1 and len(facts.names) > 1:
            yield Found(
                message=f"train: all masks hold one class, {facts.names[present[0]]!r}, and nothing else: there is "
                "nothing to learn; do the masks belong to these classes?",
                places=places,
                side="mask",
                severity=Severity.ERROR,
            )
        elif places:
            yield Found(
                message=f"{name}: {masks(len(places))} of {len(facts.splits[name].samples)} with a single class, "
                f"{such_as(facts, places, 'mask')}",
                places=places,
                side="mask",
            )


def _classes(held: MaskFacts) -> int:
    return sum(key < INVALID for key in held.ids.keys.tolist())


CHECKS = (
    Check(
        id="labels.classes",
        severity=Severity.ERROR,
        summary="classes that neither a list nor the masks tell",
        run=unknown_classes,
        cheap=True,
    ),
    Check(
        id="labels.range",
        severity=Severity.ERROR,
        summary="numbers or colours in masks that no class has",
        run=out_of_range,
        cheap=True,
    ),
    Check(
        id="labels.colour",
        severity=Severity.ERROR,
        summary="masks in colour, or with fractions, read as numbers",
        run=in_colour,
        cheap=True,
    ),
    Check(
        id="labels.lossy",
        severity=Severity.ERROR,
        summary="masks stored as JPEG, whatever their ending",
        run=lossy,
        cheap=True,
    ),
    Check(
        id="labels.palette",
        severity=Severity.ERROR,
        summary="palettes that differ from file to file, read as numbers",
        run=palettes,
        cheap=True,
    ),
    Check(
        id="labels.shifted",
        severity=Severity.ERROR,
        summary="labels that begin at 1; a 0 that is likely no class (reduce_zero_label)",
        run=shifted,
        cheap=True,
    ),
    Check(
        id="labels.table",
        severity=Severity.ERROR,
        summary="numbers that fit another known table better, such as Cityscapes' label ids read as train ids",
        run=other_table,
        cheap=True,
    ),
    Check(
        id="labels.resized",
        severity=Severity.WARNING,
        summary="traces of smooth resizing or compression at the edges of masks",
        run=resized,
        cheap=True,
    ),
    Check(
        id="labels.void",
        severity=Severity.WARNING,
        summary="splits more than half of whose pixels are ignored",
        run=much_void,
        cheap=True,
    ),
    Check(
        id="labels.empty",
        severity=Severity.WARNING,
        summary="masks in which every pixel is ignored; an error if all are",
        run=nothing_labelled,
    ),
    Check(
        id="labels.single",
        severity=Severity.INFO,
        summary="masks of a single class; an error if train holds one class only",
        run=one_class,
        cheap=True,
    ),
)
