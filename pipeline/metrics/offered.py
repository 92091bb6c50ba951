"""The metrics that this package offers, by name; nothing is imported before one is built."""

from __future__ import annotations

from foveate.plugins.records import Metric

_HERE = "foveate.pipeline.metrics"

METRICS = (
    Metric(
        name="calibration_error",
        summary="Gap between confidence and accuracy, over bins of confidence",
        build=f"{_HERE}.calibration:CalibrationError",
        paper="arXiv:1706.04599",
    ),
    Metric(
        name="calibration",
        summary="The same with the reliability curve, bins of equal mass, and the error of each class",
        build=f"{_HERE}.reliability:Calibration",
        paper="arXiv:1706.04599",
    ),
    Metric(
        name="precision",
        summary="Mean precision over classes; with precision, recall and F1 of each class",
        build=f"{_HERE}.overlap:create_precision",
    ),
    Metric(
        name="recall",
        summary="Mean recall over classes; with precision, recall and F1 of each class",
        build=f"{_HERE}.overlap:create_recall",
    ),
    Metric(
        name="f1",
        summary="Mean F1 over classes; with precision, recall and F1 of each class",
        build=f"{_HERE}.overlap:create_f1",
    ),
    Metric(
        name="top_k",
        summary="The right class is among the k most probable: {name: top_k, k: [2, 3]}",
        build=f"{_HERE}.top_k:TopK",
        task="classification",
    ),
    Metric(
        name="dice",
        summary="Mean Dice coefficient over classes, which is F1; with that, precision and recall of each class",
        build=f"{_HERE}.overlap:create_dice",
        task="segmentation",
    ),
    Metric(
        name="boundary",
        summary="Boundary IoU: mean IoU of the pixels near boundaries, at several distances",
        build=f"{_HERE}.boundary:BoundaryIoU",
        paper="arXiv:2103.16562",
        task="segmentation",
    ),
    Metric(
        name="boundary_f",
        summary="F measure of the contours of each class, at several tolerances",
        build=f"{_HERE}.contours:BoundaryF",
        paper="arXiv:1907.05740",
        task="segmentation",
    ),
    Metric(
        name="by_size",
        summary="Share of the smallest labelled regions that was found; with recall by size",
        build=f"{_HERE}.regions:BySize",
        task="segmentation",
    ),
    Metric(
        name="by_distance",
        summary="Accuracy nearest to the boundaries between labels; with accuracy by distance to them",
        build=f"{_HERE}.bands:ByDistance",
        task="segmentation",
    ),
    Metric(
        name="by_row",
        summary="Lowest accuracy of a band of image rows; with accuracy by height in the image",
        build=f"{_HERE}.bands:ByRow",
        task="segmentation",
    ),
)
