"""`foveate export`: writes a trained model for another runtime, and checks that it still is the same model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from foveate.pipeline.answering import answer
from foveate.pipeline.command_line import PLUGINS, RECIPE_FLAGS, parse_options, split_flags

ENDINGS = {"onnx": ".onnx", "openvino": ".xml", "torch-export": ".pt2", "torchscript": ".torchscript"}
IMAGES = 32  # that the file is checked on


@dataclass(frozen=True)
class ExportOptions:
    """Write a trained model as a file for another runtime; it takes images as bytes and normalises them itself.

    The file is run on real images and compared with PyTorch in float32 (NAME.parity.json); one that does not agree is
    not kept, and the exit code is 4. It holds a contract (sizes, classes, mean, recipe, licence) and a test of itself:
    python check_model.py MODEL on the target machine, or python -m foveate.check MODEL. --data.KEY VALUE are options of
    the data set.

    Example: foveate export best --format onnx --size 512x1024 --out model.onnx

    Args:
        checkpoint: Checkpoint of a run, best or last of the newest run, a run directory, or a folder of the hub.
        format: onnx, openvino, torch-export (.pt2) or torchscript.
        precision: fp32, fp16, bf16 or int8 (onnx and openvino; its ranges are found on the images).
        size: HEIGHTxWIDTH, or dynamic for any; default: the size at which the model is evaluated.
        argmax: Let the file give class numbers instead of logits, at the size of the image.
        out: The file; default: model with the ending of the format.
        images: Folder of images to check on; default: the val split of the training's data (--data.root moves it).
        licence: Of the weights, for the contract.
        force: Keep a file that does not agree, as NAME.failed.
        json: File for what was written and how it agrees, or - for standard output, also without a value.
    """

    checkpoint: str
    format: Literal["onnx", "openvino", "torch-export", "torchscript"] = "onnx"
    precision: Literal["fp32", "fp16", "bf16", "int8"] = "fp32"
    size: str | None = None
    argmax: bool = False
    out: str | None = None
    images: str | None = None
    licence: str = "not stated"
    force: bool = False
    json: str | None = None


def export(options: ExportOptions, flags: Sequence[str] = ()) -> dict[str, Any]:
    """Write a trained model as a file for another runtime.

    Args:
        options: The command's options.
        flags: Options of the data set (--data.KEY VALUE), and --plugins MODULE.

    Returns:
        The file, and how it agrees with PyTorch.
    """
    from foveate.pipeline.export.export import Order  # late: torch takes longer than --help should
    from foveate.pipeline.export.export import export as write
    from foveate.pipeline.export.images import find_samples
    from foveate.pipeline.export.subject import open_subject
    from foveate.pipeline.training.flags import take_option
    from foveate.plugins.selection import split_names

    order = Order(
        format=options.format,
        precision=options.precision,
        size=options.size,
        argmax=options.argmax,
        licence=options.licence,
        out=Path(options.out or f"model{ENDINGS[options.format]}").expanduser(),
        force=options.force,
    )
    order.check()
    given, rest = take_option(flags, PLUGINS)
    subject = open_subject(options.checkpoint, [name for value in given for name in split_names(value)])
    data = None if options.images is not None else _data_of(subject, rest)
    return write(subject, order, find_samples(subject, options.images, data, IMAGES)).as_values()


def _data_of(subject: Any, flags: Sequence[str]) -> Any:
    """The data module that a model (a `Subject`) was trained with.

    Raises:
        ConfigError: The model does not say.
    """
    from foveate.pipeline.commands.open_data import build_data
    from foveate.pipeline.errors import ConfigError
    from foveate.pipeline.export.images import ADVICE

    if not subject.data.get("class_path"):
        raise ConfigError(f"the export is checked on real images, and {subject.name} names no data: {ADVICE}")
    arguments = dict(subject.data.get("init_args") or {})
    return build_data(str(subject.data["class_path"]), arguments, flags, subject.modules)


def run(words: Sequence[str]) -> None:
    """Run `foveate export`.

    Args:
        words: The command line after it.
    """
    flags, own = split_flags(words, (*RECIPE_FLAGS, PLUGINS))
    options = parse_options("foveate export", ExportOptions, own, takes_recipe=True)
    answer(options.json, lambda: export(options, flags))
