"""`foveate data stats`: figures of a training split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from foveate.datasets.errors import DataConfigError
from foveate.pipeline.answering import answer

if TYPE_CHECKING:
    from foveate.datasets.split_survey import Survey

AUTO = "auto"
SIZES = 5  # sizes of images in the text; the JSON holds all
WEIGHTS = {"median_frequency": "median freq.", "enet": "ENet", "inverse_sqrt": "1/sqrt"}


def stats(
    target: str,
    dataset: str = AUTO,
    sample: int | None = None,
    json: str | None = None,
    flags: Sequence[str] = (),
) -> None:
    """Measure the training images: mean, standard deviation, sizes, classes, objects; suggest lines for a recipe.

    Example: foveate data stats ~/cityscapes --sample 500

    Args:
        target: The data set's folder, or a recipe.
        dataset: Which data set it is (foveate plugins list --what data); auto finds it by the folders.
        sample: Number of images that are read, evenly spread over the split; all if not given.
        json: File for all figures; - prints them, and everything else goes to stderr.
        flags: Not given by name: the data set's options as in a training, --data.KEY VALUE.
    """
    from foveate.pipeline.commands.data_figures import figures_of

    if sample is not None and sample < 1:
        raise DataConfigError(f"sample is at least 1, not {sample}")

    def find() -> dict[str, Any]:
        names, survey = _measure(target, dataset, sample, flags)
        figures = figures_of(survey, names)
        _show(survey, figures)
        return figures

    answer(json, find)


def _measure(target: str, dataset: str, sample: int | None, flags: Sequence[str]) -> tuple[Sequence[str], Survey]:
    from foveate.datasets.classification import ClassificationDataModule
    from foveate.datasets.progress import bar
    from foveate.datasets.segmentation import SegmentationDataModule
    from foveate.datasets.split_survey import survey_data
    from foveate.pipeline.commands.open_data import name_of, open_named

    data = open_named(target, dataset, {}, flags)
    if not isinstance(data, SegmentationDataModule | ClassificationDataModule):
        raise DataConfigError(f"{name_of(data)} is neither a segmentation nor a classification data set of ours")
    with bar("train") as advance:
        return data.label_set.names, survey_data(data, advance, sample)


def _show(survey: Survey, figures: Mapping[str, Any]) -> None:
    from foveate.pipeline.commands.data_figures import recipe_lines, suggested_weights
    from foveate.plugins.tables import create_console

    for line in _lines(survey):
        print(line)
    print()
    create_console().print(_table(figures["classes"]), markup=False)
    if survey.objects is not None:
        print("\nobjects: connected areas of a class; side: square root of the area in pixels, of 5 %, 50 % and 95 %")
    print("\nlines for a recipe:\n")
    for line in recipe_lines(survey, suggested_weights(survey)["median_frequency"]):
        print(line)


def _lines(survey: Survey) -> Iterator[str]:
    yield f"train: {_measured(survey)}"
    yield f"mean {_numbers(survey.mean)} and standard deviation {_numbers(survey.std)} of images in 0-1, by channel"
    shown = [f"{height} x {width} ({count})" for (height, width), count in survey.sizes.most_common(SIZES)]
    more = f" and {len(survey.sizes) - SIZES} more" if len(survey.sizes) > SIZES else ""
    yield f"sizes, height x width: {', '.join(shown)}{more}"
    if survey.ignored is not None:
        yield f"ignored: {100 * survey.ignored:.2f} % of the pixels"


def _measured(survey: Survey) -> str:
    if survey.measured == survey.total:
        return f"{survey.total} images, all measured"
    counted = "" if survey.objects else "; classes of all"
    return f"{survey.total} images, of which {survey.measured} were measured, evenly spread{counted}"


def _numbers(values: Sequence[float]) -> str:
    return f"[{', '.join(f'{value:.4f}' for value in values)}]"


def _table(classes: Sequence[Mapping[str, Any]]) -> Any:
    """A row for each class; suggested class weights at the end."""
    from rich.table import Table

    with_objects = "objects" in classes[0]
    table = Table(box=None, pad_edge=False)
    table.add_column("class", overflow="fold")
    extra = ["objects", "5 %", "median", "95 %"] if with_objects else []
    for heading in ("pixels %" if with_objects else "images %", "images", *extra, *WEIGHTS.values()):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in classes:
        sizes = [str("-" if value is None else value) for value in row.get("objects", {}).values()]
        weights = [f"{row['class_weights'][method]:.4g}" for method in WEIGHTS]
        table.add_row(row["name"], f"{100 * row['share']:.3f}", str(row["images"]), *sizes, *weights)
    return table
