"""Our own encoders, decoders, losses and metrics, offered through the same hooks as anyone's."""

from __future__ import annotations

from collections.abc import Iterator

from foveate.plugins import Decoder, Encoder, Loss, Metric, hookimpl

_MODELS = "foveate.pipeline.models"
_LOSSES = "foveate.pipeline.losses"

# Family -> its file, where it was published, and what each of its names is.
_ENCODERS = {
    "mscan": (
        "arXiv:2209.08575",
        {
            "mscan_t": "MSCAN T, the encoder of SegNeXt: 3.9 M parameters",
            "mscan_s": "MSCAN S: 13.5 M parameters",
            "mscan_b": "MSCAN B: 26.3 M parameters",
            "mscan_l": "MSCAN L: 44.6 M parameters",
        },
    ),
}


@hookimpl
def foveate_encoders() -> Iterator[Encoder]:
    """The encoders of this package, and two libraries'."""
    for family, (paper, names) in _ENCODERS.items():
        here = f"{_MODELS}.{family}"
        for name, summary in names.items():
            yield Encoder(
                name=name,
                summary=summary,
                paper=paper,
                build=f"{here}:create_encoder",
                classifier=f"{here}:create_classifier",
            )


@hookimpl
def foveate_decoders() -> Iterator[Decoder]:
    """The decoders of this package, and a library's."""
    yield Decoder(
        name="light_ham",
        summary="The decoder of SegNeXt: global context by matrix factorisation",
        build=f"{_MODELS}.light_ham:create_decoder",
        paper="arXiv:2209.08575",
    )


@hookimpl
def foveate_losses() -> Iterator[Loss]:
    """The losses of this package."""
    yield Loss(
        name="cross_entropy",
        summary="Cross-entropy, averaged over the labelled or over all pixels",
        build=f"{_LOSSES}.cross_entropy:CrossEntropy",
    )
    yield Loss(
        name="binary_cross_entropy",
        summary="A yes or no for each class; what mixed images are trained with",
        build=f"{_LOSSES}.cross_entropy:BinaryCrossEntropy",
        paper="arXiv:2110.00476",
    )
    yield Loss(
        name="focal",
        summary="Cross-entropy that dwells on what is still wrong",
        build=f"{_LOSSES}.focal:Focal",
        paper="arXiv:1708.02002",
    )
    yield Loss(
        name="dice",
        summary="Overlap of prediction and label, averaged over the classes present",
        build=f"{_LOSSES}.regions:dice",
        paper="arXiv:1606.04797",
    )
    yield Loss(
        name="jaccard",
        summary="Intersection over union, made smooth",
        build=f"{_LOSSES}.regions:jaccard",
    )
    yield Loss(
        name="lovasz",
        summary="A surrogate of the mean intersection over union",
        build=f"{_LOSSES}.regions:lovasz",
        paper="arXiv:1705.08790",
    )


@hookimpl
def foveate_metrics() -> Iterator[Metric]:
    """The metrics of this package."""
    yield Metric(
        name="calibration_error",
        summary="Gap between confidence and accuracy, over bins of confidence",
        build="foveate.pipeline.calibration:CalibrationError",
        paper="arXiv:1706.04599",
    )
