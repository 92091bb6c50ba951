"""`foveate data view`: a page of what the network is fed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.files.writing import write_whole
from foveate.pipeline.answering import answer

AUTO = "auto"
PAGE = ".foveate/view.html"  # in the data set's folder
Split = Literal["train", "val", "test"]


def view(
    target: str,
    dataset: str = AUTO,
    split: Split = "train",
    count: int = 24,
    seed: int | None = None,
    out: str | None = None,
    json: str | None = None,
    flags: Sequence[str] = (),
) -> None:
    """Write a page of what the network is fed: augmented crops with their masks, and what was drawn for each.

    Of train they are the first samples of a training in one process.

    Example: foveate data view camvid_segnext_t --data.root ~/camvid

    Args:
        target: The data set's folder, or a recipe, whose augmentation is then shown.
        dataset: Which data set it is (foveate plugins list --what data); auto finds it by the folders.
        split: Which images; those of val and test are shown as they are evaluated, evenly spread.
        count: How many samples.
        seed: The training's seed (seed_everything); that of --data.seed, or 0, if not given.
        out: File for the page; .foveate/view.html in the data set's folder if not given.
        json: File for where the page is, or - for standard output, also without a value.
        flags: Not given by name: the data set's options as in a training, --data.KEY VALUE.
    """
    if count < 1:
        raise DataConfigError(f"count is at least 1, not {count}")

    def write() -> dict[str, Any]:
        path, size = _write(target, dataset, split, count, seed, out, flags)
        print(f"{path} written, {size / 1e6:.1f} MB: open it in a browser")
        return {"page": str(path), "bytes": size, "split": split}

    answer(json, write)


def _write(
    target: str, dataset: str, split: Split, count: int, seed: int | None, out: str | None, flags: Sequence[str]
) -> tuple[Path, int]:
    """Write the page; where it is, and its size in bytes."""
    from foveate.datasets.classification import ClassificationDataModule
    from foveate.datasets.segmentation import SegmentationDataModule
    from foveate.pipeline.commands.open_data import name_of, open_named

    data = open_named(target, dataset, {"seed": seed}, flags)
    if not isinstance(data, SegmentationDataModule | ClassificationDataModule):
        raise DataConfigError(f"{name_of(data)} is neither a segmentation nor a classification data set of ours")
    page = _render(data, target, split, count).encode()
    path = _path(data, out)
    try:
        write_whole(path, page)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error}; give --out FILE") from error
    return path, len(page)


def _render(data: Any, target: str, split: Split, count: int) -> str:
    from foveate.datasets.labels import LabelSet
    from foveate.datasets.progress import bar
    from foveate.datasets.view.page import render_samples
    from foveate.datasets.view.samples import Shown, show_samples

    labels = data.label_set if isinstance(data.label_set, LabelSet) else None
    with bar(split) as advance:

        def told() -> Iterator[Shown]:
            for number, shown in enumerate(show_samples(data, split, count), start=1):
                yield shown
                advance(number, count)

        return render_samples(f"{target}: {split}", _facts(split, data.seed, labels is not None), told(), labels, count)


def _facts(split: Split, seed: int, padded: bool) -> list[str]:
    if split != "train":
        return [f"Images of {split}, evenly spread, as they are evaluated."]
    padding = (
        "Padding shows the mean of ImageNet, unless data.pad_value says otherwise; a training takes the mean that its "
        "network normalises by."
    )
    first = f"The first samples of epoch 0 with seed {seed}, in the order of a training in one process."
    return [first, padding] if padded else [first]


def _path(data: Any, out: str | None) -> Path:
    if out is not None:
        return Path(out).expanduser()
    return Path("view.html") if data.root is None else data.existing_root() / PAGE
