"""The data module of a recipe from the dataset and the pipelines of a config."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from foveate.pipeline.mmseg.settings import Settings, shorten

MODULES = {
    "ADE20KDataset": "ADE20KDataModule",
    "CityscapesDataset": "CityscapesDataModule",
    "COCOStuffDataset": "COCOStuff164kDataModule",
    "PascalVOCDataset": "VOC2012DataModule",
    "LoveDADataset": "LoveDADataModule",
}
OWN = "FolderDataModule"
NATIVE = {"CityscapesDataModule": [2048, 1024]}  # size of every image: resizing to it changes nothing
PASSED_OVER = ("LoadImageFromFile", "LoadAnnotations", "PackSegInputs", "PackInputs", "Pad", "Normalize",
               "DefaultFormatBundle", "Collect", "ImageToTensor")  # fmt: skip
DEVICES = re.compile(r"_(\d+)x[bB](\d+)")  # in the name of a config: devices and images for each
Options = dict[str, Any]


def carry_data(settings: Settings) -> tuple[str, Options]:
    """Class and options of the data module.

    Args:
        settings: The config.
    """
    loader = "train_dataloader"
    dataset = _inner(settings, f"{loader}.dataset")
    kind = str(settings.take(f"{dataset}.type"))
    module = MODULES.get(kind, OWN)
    options: Options = {}
    if root := settings.take(f"{dataset}.data_root", settings.take("data_root")):
        options["root"] = str(root).rstrip("/")
    if module == OWN:
        options |= _folders(settings, dataset, kind)
    settings.pass_over(f"{dataset}.data_prefix", f"{dataset}.ann_file")
    options |= _carry_pipeline(settings, f"{dataset}.pipeline")
    options["batch_size"] = settings.take(f"{loader}.batch_size", 1)
    if (found := DEVICES.search(settings.config.place.file.name)) and int(found[1]) > 1:
        options["total_batch"] = int(found[1]) * options["batch_size"]
        settings.tell(
            f"{loader}.batch_size", f"the name of the config says {found[1]} devices: total_batch keeps their sum"
        )
    return module, options


def _inner(settings: Settings, path: str) -> str:
    """The dataset inside wrappers."""
    while True:
        kind = settings.take(f"{path}.type")
        if kind == "ConcatDataset":
            settings.tell(f"{path}.type", "only the first of several data sets is carried over")
            path = f"{path}.datasets.0"
        elif settings.find(f"{path}.dataset") is not None:
            settings.tell(f"{path}.type", f"{kind} is left out: an epoch is one pass over the images")
            settings.pass_over(f"{path}.times")
            path = f"{path}.dataset"
        else:
            return path


def _folders(settings: Settings, dataset: str, kind: str) -> Options:
    """Options of a data set of the user's own."""
    found: Options = {}
    if names := settings.take(f"{dataset}.metainfo.classes"):
        found["classes"] = names
    prefix = settings.take(f"{dataset}.data_prefix", {})
    where = f"images in {prefix.get('img_path')}, masks in {prefix.get('seg_map_path')}"
    settings.tell(
        f"{dataset}.type",
        f"{kind} becomes {OWN}, which finds folders and splits by their names (in mmseg: {where}); its classes are in "
        "Python and are not read: write classes.yaml, or see foveate data classes",
    )
    for option, name, usual in (("image_suffix", "img_suffix", ".jpg"), ("mask_suffix", "seg_map_suffix", ".png")):
        suffix = str(settings.take(f"{dataset}.{name}", usual)).rpartition(".")[0]
        if suffix:
            found[option] = suffix
    if settings.take(f"{dataset}.reduce_zero_label", False):
        found["reduce_zero_label"] = True
    return found


def _carry_pipeline(settings: Settings, path: str) -> Options:
    """Crop, scale, flip and colours from the training pipeline."""
    found: Options = {"flip": 0.0, "photometric": False, "scale": [1.0, 1.0], "max_ratio": 1.0}
    for step, given in settings.items(path):
        settings.pass_over(step)
        kind = given.get("type")
        if kind in ("RandomResize", "Resize"):
            found |= _resize(settings, step, given)
        elif kind == "RandomCrop":
            size = given.get("crop_size")
            found |= {
                "crop": [size, size] if isinstance(size, int) else size,
                "max_ratio": given.get("cat_max_ratio", 1.0),
            }
        elif kind == "RandomFlip":
            found["flip"] = given.get("prob", 0.0)
        elif kind == "PhotoMetricDistortion":
            found["photometric"] = True
            if len(given) > 1:
                settings.tell(step, f"PhotoMetricDistortion has its usual strengths here, not {shorten(given)}")
        elif kind not in PASSED_OVER:
            settings.tell(step, f"the augmentation {kind} is left out; see data.augmentations in docs/data.md")
    settings.pass_over("train_pipeline", "crop_size", path)
    return {key: found[key] for key in ("crop", "short_side", "long_side", *found) if key in found}


def _resize(settings: Settings, step: str, given: Mapping[str, Any]) -> Options:
    scale, ratio = given.get("scale", given.get("img_scale")), given.get("ratio_range", [1.0, 1.0])
    found: Options = {"scale": ratio}
    if not given.get("keep_ratio", True):
        settings.tell(step, "keep_ratio = False: images keep their shape here")
    if isinstance(scale, list) and len(scale) == 2 and all(isinstance(side, int) for side in scale):
        return {**found, "short_side": min(scale), "long_side": max(scale)}
    settings.tell(step, f"scale = {shorten(scale)} is not carried over; see data.short_side and data.scale")
    return found


def without_native(module: str, options: Options) -> Options:
    """Options without a resize to the size that every image of the data set has.

    Args:
        module: Class of the data module.
        options: With `short_side` and `long_side`.
    """
    if NATIVE.get(module) != [options.get("long_side"), options.get("short_side")]:
        return options
    return {key: value for key, value in options.items() if key not in ("short_side", "long_side")}


def carry_inference(settings: Settings, module: str) -> Options:
    """How images are evaluated, from `model.test_cfg` and the test pipeline.

    Args:
        settings: The config.
        module: Class of the data module.
    """
    found: Options = {"mode": settings.take("model.test_cfg.mode", "whole")}
    if found["mode"] == "slide":
        for ours, theirs in (("size", "crop_size"), ("stride", "stride")):
            side = settings.take(f"model.test_cfg.{theirs}")
            found[ours] = [side, side] if isinstance(side, int) else side
    resized: Options = {}
    for step, given in settings.items("test_pipeline"):
        if given.get("type") == "Resize":
            resized = _resize(settings, step, given)
            resized.pop("scale", None)
    found |= without_native(module, resized)
    multiple = settings.take("data_preprocessor.test_cfg.size_divisor", 1)
    settings.pass_over("test_pipeline", "model.test_cfg")
    return {**found, "multiple_of": multiple} if multiple != 1 and found["mode"] == "whole" else found
