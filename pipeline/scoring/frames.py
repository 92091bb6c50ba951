"""Finds label maps and the prediction of each, and names what is missing, extra or doubled."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from foveate.datasets.errors import DataError
from foveate.datasets.files.pairs import list_images
from foveate.datasets.text import few
from foveate.pipeline.scoring.faults import refuse
from foveate.plugins.hints import did_you_mean_path

KINDS = ("labelIds", "labelTrainIds")  # of Cityscapes' label files; the first that there is counts
INSTANCES = "instanceIds"
LABELS, OVERLAYS = "labels", "overlays"  # folders that `foveate predict` writes
VOC_LISTS = "ImageSets/Segmentation"


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A label map and its prediction.

    Attributes:
        label: The label map.
        prediction: The predicted one.
        instances: Cityscapes' instance ids of the same frame, if there are.
    """

    label: Path
    prediction: Path
    instances: Path | None = None


def prediction_folder(given: Path) -> Path:
    """The folder of label maps: that of `foveate predict` if its output folder is given, which holds overlays too.

    Args:
        given: What a user names.

    Raises:
        DataError: There is no such folder.
    """
    _require(given)
    written = (given / LABELS).is_dir() and (given / OVERLAYS).is_dir()
    return given / LABELS if written else given


def _require(folder: Path) -> None:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder{did_you_mean_path(folder)}")


def cityscapes_labels(given: Path, split: str) -> list[Path]:
    """Cityscapes' label maps below a folder.

    Args:
        given: A split's folder such as gtFine/val, or the folder that holds gtFine/, whose `split` is taken.
        split: Name of the split.

    Raises:
        DataError: There are none.
    """
    _require(given)
    folder = next((path for path in (given / "gtFine" / split, given / split) if path.is_dir()), given)
    files = _all_files(folder)
    for kind in KINDS:
        found = sorted(path for path in files if path.name.endswith(f"_{kind}.png"))
        if found:
            return found
    raise DataError(f"{folder}: no label maps, whose names end with _{KINDS[0]}.png; give gtFine/{split}")


def core_of(label: Path) -> str:
    """What the names of a frame's files share: city, sequence and frame.

    Args:
        label: A label map of Cityscapes.

    Example:
        >>> core_of(Path("aachen_000000_000019_gtFine_labelIds.png"))
        'aachen_000000_000019'
    """
    return label.stem.rsplit("_", 2)[0]


def _all_files(folder: Path) -> list[Path]:
    """Files of a folder and its folders."""
    return [Path(place) / name for place, _, names in os.walk(folder) for name in names]


def pair_cityscapes(labels: Sequence[Path], predictions: Path, *, extra: bool = False) -> list[Frame]:
    """The frames of Cityscapes: `<city>_<seq>_<frame>*.png` is a frame's prediction, as its official scorer finds it.

    Args:
        labels: Label maps.
        predictions: Folder of predictions, with folders in it or not.
        extra: Whether predictions without a label map are accepted, and left out.

    Raises:
        FilesError: Predictions are missing, extra, or doubled.
    """
    files = sorted(path for path in _all_files(predictions) if path.suffix == ".png")
    cores = [core_of(label) for label in labels]
    found = _by_prefix(files, cores)
    matched = {file for several in found.values() for file in several}
    faults = {
        "missing": [f"{core}*.png" for core in cores if not found[core]],
        "doubled": [f"{core}*.png is {few(map(str, found[core]))}" for core in cores if len(found[core]) > 1],
        "extra": [] if extra else [str(file) for file in files if file not in matched],
    }
    refuse(str(predictions), faults, _advice(files, "<city>_<seq>_<frame>*.png, once for each label map"))
    return [
        Frame(label=label, prediction=found[core][0], instances=_instances(label))
        for label, core in zip(labels, cores, strict=True)
    ]


def _by_prefix(files: Sequence[Path], cores: Sequence[str]) -> dict[str, list[Path]]:
    """Prefix -> the files whose names begin with it; a name may begin with several."""
    found: dict[str, list[Path]] = {core: [] for core in cores}
    lengths = sorted({len(core) for core in cores})
    for file in files:
        for length in lengths:
            if (several := found.get(file.name[:length])) is not None and len(file.name) >= length:
                several.append(file)
    return found


def _advice(files: Sequence[Path], expected: str) -> str:
    shown = f"; the folder holds names such as {files[0].name}" if files else "; the folder holds no such files"
    return f"Expected {expected}{shown}"


def _instances(label: Path) -> Path | None:
    """Instance ids beside a label map."""
    ending = next(kind for kind in KINDS if label.stem.endswith(f"_{kind}"))
    path = label.with_name(f"{label.stem.removesuffix(ending)}{INSTANCES}.png")
    return path if path.is_file() else None


def named_labels(given: Path, split: str) -> list[Path]:
    """The label maps in a folder; those of a split, where the folder is the root of ADE20K or Pascal VOC.

    Args:
        given: The folder.
        split: Name of the split, where the folder holds several.

    Raises:
        DataError: There are none.
    """
    _require(given)
    listed = given / VOC_LISTS / f"{split}.txt"
    if listed.is_file():
        return [given / "SegmentationClass" / f"{name}.png" for name in listed.read_text().split()]
    places = (given / "annotations" / {"val": "validation", "train": "training"}.get(split, split), given)
    folder = next(path for path in places if path.is_dir())
    found = list_images(folder, recursive=True)
    if not found:
        raise DataError(f"{folder}: no label maps")
    return found


def pair_by_name(labels: Sequence[Path], predictions: Path, *, extra: bool = False) -> list[Frame]:
    """The frames of any other data set: a label map and its prediction share their name, whatever the ending.

    Where names occur twice, in several folders, the path below the folders counts.

    Args:
        labels: Label maps.
        predictions: Folder of predictions, with folders in it or not.
        extra: Whether predictions without a label map are accepted, and left out.

    Raises:
        FilesError: Predictions are missing, extra, or doubled.
    """
    files = list_images(predictions, recursive=True)
    top = Path(os.path.commonpath([label.parent for label in labels]))
    flat = len({label.stem for label in labels}) == len(labels)
    of_label, of_file = _key(flat, top), _key(flat, predictions)
    found: dict[str, list[Path]] = {}
    for file in files:
        found.setdefault(of_file(file), []).append(file)
    keys = [of_label(label) for label in labels]
    faults = {
        "missing": [key for key in keys if key not in found],
        "doubled": [f"{key} is {few(map(str, found[key]))}" for key in keys if len(found.get(key, ())) > 1],
        "extra": [] if extra else [str(file) for file in files if of_file(file) not in set(keys)],
    }
    refuse(str(predictions), faults, _advice(files, f"the names of the label maps, such as {labels[0].name}"))
    return [Frame(label=label, prediction=found[key][0]) for label, key in zip(labels, keys, strict=True)]


def _key(flat: bool, top: Path) -> Callable[[Path], str]:
    """What a label map and its prediction have in common."""
    if flat:
        return lambda path: path.stem
    return lambda path: path.relative_to(top).with_suffix("").as_posix()
