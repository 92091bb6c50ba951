"""Proposes classes from what masks hold, and says what it took for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from foveate.datasets.class_table import ClassTable, MaskClass
from foveate.datasets.errors import DataError
from foveate.datasets.labels import CAMVID, CITYSCAPES, IGNORE, INVALID, LabelSet
from foveate.datasets.masks.colours import RGB, decode_colour
from foveate.datasets.masks.survey import Counts, MaskSurvey, colour_name
from foveate.datasets.palette import distinct_colours
from foveate.datasets.text import few

Kind = Literal["auto", "values", "colours", "binary", "files"]
KNOWN = (CITYSCAPES, CAMVID)
SPREAD = 40  # different values of a black-and-white mask that was blurred
PLAIN = 0.9  # share of its pixels that stay black or white
NAME_THEM = "name them in classes.yaml (foveate data classes ROOT --write)"


@dataclass(frozen=True)
class Proposal:
    """Classes that were taken from masks.

    Attributes:
        table: The classes.
        lines: What was taken for what.
    """

    table: ClassTable
    lines: Sequence[str]


def propose_classes(
    survey: MaskSurvey,
    name: str,
    kind: Kind = "auto",
    named: Mapping[int | RGB, str] | None = None,
    *,
    reduce_zero: bool = False,
) -> Proposal:
    """Classes for masks that come without a list of classes.

    Args:
        survey: What the masks hold.
        name: Name of the data set.
        kind: What the masks hold; `auto` tells it from them.
        named: Names of values or colours, as other tools list them.
        reduce_zero: Whether the value 0 is ignored.

    Raises:
        DataError: The masks hold nothing that can be told apart, are lossy, or look like something else than classes.
    """
    if survey.faults:
        raise DataError(f"{len(survey.faults)} masks cannot be read: {few(survey.faults, 3, '; ')}")
    if kind == "binary":
        return _binary(name)
    if survey.lossy:
        raise DataError(
            f"{len(survey.lossy)} of {survey.count} masks are JPEG files, such as {survey.lossy[0]}: compression "
            "changes labels at every edge. Store masks as PNG; if they are black and white: --data.masks binary"
        )
    if (kind if kind in ("values", "colours") else _told(survey)) == "colours":
        return _from_colours(survey, name, named or {})
    return _from_values(survey, name, named or {}, reduce_zero)


def _told(survey: MaskSurvey) -> Kind:
    """How masks are read: by colours where channels differ, or where the same colours have other indices elsewhere.

    Raises:
        DataError: Palettes differ, and both indices and colours may be the classes.
    """
    if survey.coloured:
        return "colours"
    differing = {index: colours for index, colours in survey.palettes.items() if len(colours) > 1}
    if not differing:
        return "values"
    if len(survey.colours) <= len(survey.values):
        return "colours"
    index, colours = next(iter(differing.items()))
    shown = few([str(list(colour)) for colour in sorted(colours)], 2)
    raise DataError(
        f"palettes differ from file to file: index {index} is {shown}. Say what the classes are: --data.masks values "
        "for the indices, or --data.masks colours"
    )


def _binary(name: str) -> Proposal:
    table = ClassTable(name=name, classes=_two_classes(), masks="binary", ignore_values=())
    return Proposal(table, ["masks are black and white, as said: dark is background, bright is foreground"])


def _two_classes() -> tuple[MaskClass, MaskClass]:
    return (
        MaskClass(name="background", values=(0,), colours=((0, 0, 0),)),
        MaskClass(name="foreground", values=(IGNORE,), colours=((255, 255, 255),)),
    )


def _from_values(survey: MaskSurvey, name: str, named: Mapping[int | RGB, str], reduce_zero: bool) -> Proposal:
    """Classes of masks with whole numbers."""
    values = sorted(survey.values)
    _refuse_strange(survey, values)
    if set(values) == {0, IGNORE} and not named and not reduce_zero:
        shares = f"{_share(survey.values, 0)} and {_share(survey.values, IGNORE)} of the pixels"
        line = f"masks hold 0 and 255: taken as background and foreground ({shares}), and nothing is ignored"
        return Proposal(ClassTable(name=name, classes=_two_classes(), ignore_values=()), [line])
    ignored = ({IGNORE} if IGNORE not in named else set()) | ({0} if reduce_zero else set())
    kept = [value for value in values if value not in ignored]
    if len(kept) < 2:
        raise DataError(_nothing_to_learn(survey, kept, ignored))
    palette = {value: next(iter(colours)) for value, colours in survey.palettes.items()}
    generated = distinct_colours(len(kept))
    classes = tuple(
        MaskClass(
            name=named.get(value, f"class_{value}"), values=(value,), colours=(palette.get(value, generated[number]),)
        )
        for number, value in enumerate(kept)
    )
    table = ClassTable(name=name, classes=classes, ignore_values=tuple(sorted(ignored)))
    return Proposal(table, _lines_on_values(survey, table, named))


def _refuse_strange(survey: MaskSurvey, values: Sequence[int]) -> None:
    """Refuse what looks like anything but classes."""
    if values and values[0] < 0:
        raise DataError(f"masks hold negative numbers, such as {values[0]}; expected whole numbers from 0")
    ends = survey.values.get(0, 0) + survey.values.get(IGNORE, 0)
    if len(values) > SPREAD and max(values) <= IGNORE and ends > PLAIN * survey.pixels:
        raise DataError(
            f"masks hold {len(values)} different values, nearly all of them 0 and 255: black-and-white masks that were "
            "resized or compressed; give --data.masks binary"
        )
    if len(values) >= INVALID:
        raise DataError(
            f"masks hold {len(values)} different values, up to {max(values)}, and at most {INVALID - 1} classes are "
            "possible. Are these numbers of objects, or heights? Give a classes.yaml with the values that are classes"
        )


def _nothing_to_learn(survey: MaskSurvey, kept: Sequence[int], ignored: set[int]) -> str:
    """Why one class is no data set."""
    shares = ", ".join(f"{value} ({_share(survey.values, value)})" for value in sorted(survey.values))
    only = f"the class {kept[0]} only" if kept else "no class"
    return (
        f"masks hold {shares}; with {few(map(str, sorted(ignored)))} ignored that is {only}, and a network cannot "
        "learn from it. If the ignored pixels are a class of their own, say so in a classes.yaml with `ignore: []` "
        "(foveate data classes ROOT --write)"
    )


def _share(counts: Counts, value: int) -> str:
    return f"{100 * counts.get(value, 0) / max(1, sum(counts.values())):.2g} %"


def _lines_on_values(survey: MaskSurvey, table: ClassTable, named: Mapping[int | RGB, str]) -> list[str]:
    """What was taken for what."""
    listed = [f"{one.values[0]} is {one.name!r} ({_share(survey.values, one.values[0])})" for one in table.classes]
    ignored = [f"{value} ({_share(survey.values, value)})" for value in table.ignore_values if value in survey.values]
    line = f"{len(table.classes)} classes taken from {survey.count} masks: {few(listed, 12)}"
    line += f"; ignored: {', '.join(ignored)}" if ignored else ""
    lines = [line if named else f"{line}; {NAME_THEM}"]
    if 0 not in survey.values and table.classes[0].values[0] == 1:
        lines.append(
            "no mask holds 0: the first class is 1, and class numbers in scores and charts begin at 0 as always"
        )
    return lines


def _from_colours(survey: MaskSurvey, name: str, named: Mapping[int | RGB, str]) -> Proposal:
    """Classes of masks in colour, the most frequent first; colours of a known data set keep their order."""
    codes = sorted(survey.colours, key=lambda code: -survey.colours[code])
    if len(codes) >= INVALID:
        raise DataError(
            f"masks hold {len(codes)} or more different colours, and at most {INVALID - 1} classes are possible: they "
            "were resized, compressed, or drawn with soft edges. Give a classes.yaml with the colours that are classes"
        )
    if len(codes) < 2:
        raise DataError(f"masks hold one colour, {colour_name(codes[0])}: a network cannot learn from it")
    known = _known_set(codes)
    names = {colour: label for label, colour in zip(known.names, known.colours, strict=True)} if known else named
    order = [colour for colour in (known.colours if known else named) if isinstance(colour, tuple)]
    colours = sorted(map(decode_colour, codes), key=lambda c: order.index(c) if c in order else len(order))
    ignored = tuple(colour for colour in colours if known and colour not in names)
    kept = [colour for colour in colours if colour not in ignored]
    classes = tuple(
        MaskClass(name=names.get(colour, _name_of(colour)), values=(number,), colours=(colour,))
        for number, colour in enumerate(kept)
    )
    table = ClassTable(name=name, classes=classes, masks="colours", ignore_values=(IGNORE,), ignore_colours=ignored)
    return Proposal(table, _lines_on_colours(survey, table, known))


def _name_of(colour: RGB) -> str:
    return f"colour_{colour[0]}_{colour[1]}_{colour[2]}"


def _known_set(codes: Sequence[int]) -> LabelSet | None:
    """The known data set whose colours these are, black beside them."""
    found = {decode_colour(code) for code in codes} - {(0, 0, 0)}
    return next((known for known in KNOWN if len(found) > 1 and found <= set(known.colours)), None)


def _lines_on_colours(survey: MaskSurvey, table: ClassTable, known: LabelSet | None) -> list[str]:
    counts = {decode_colour(code): pixels for code, pixels in survey.colours.items()}
    whole = max(1, sum(counts.values()))
    listed = [
        f"{list(one.colours[0])} is {one.name!r} ({100 * counts.get(one.colours[0], 0) / whole:.2g} %)"
        for one in table.classes
    ]
    line = f"{len(table.classes)} classes taken from the colours of {survey.count} masks: {few(listed, 12)}"
    ignored = (
        "; ignored: " + ", ".join(str(list(colour)) for colour in table.ignore_colours) if table.ignore_colours else ""
    )
    why = f"; they are the colours of {known.name}" if known else f"; {NAME_THEM}"
    lines = [line + ignored + why]
    if survey.with_palette and not survey.coloured:
        lines.append("an index has other colours in other files, so that palettes are read by colour")
    return lines
