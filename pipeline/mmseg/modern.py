"""Configs of mmseg 0.x in the words of 1.x: the authors of SegNeXt published theirs so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from foveate.pipeline.mmseg.located import Located, Place

SCHEDULES = {"poly": "PolyLR", "CosineAnnealing": "CosineAnnealingLR", "step": "MultiStepLR"}
ALIGNED = ("AlignResize", "AlignedResize")  # resize to sides that are multiples of size_divisor


def modernise(config: Located) -> Located:
    """The same config in the words of mmseg 1.x, with the places of its values; one of 1.x is given back.

    Args:
        config: The merged config.
    """
    if config.at("runner") is None or config.at("optim_wrapper") is not None:
        return config
    old = config.value
    assert isinstance(old, dict)
    found = {
        **{name: one for name, one in old.items() if name not in ("runner", "optimizer", "lr_config", "data", "fp16")},
        "optim_wrapper": _optimizer(config),
        "param_scheduler": _schedule(config),
        "train_cfg": _loop(config),
        "data_preprocessor": _preprocessor(config),
        "train_dataloader": _loader(config),
        "test_pipeline": _test_pipeline(config),
    }
    return Located({name: one for name, one in found.items() if one is not None}, config.place)


def _place(config: Located, name: str) -> Place:
    found = config.at(name)
    return config.place if found is None else found.place


def _given(config: Located, *path: str) -> Located | None:
    found: Located | None = config
    for key in path:
        found = None if found is None else found.at(key)
    return found


def _mapping(place: Place, **items: Located | None) -> Located:
    """A mapping of what is there."""
    return Located({name: one for name, one in items.items() if one is not None}, place)


def _renamed(value: Located, names: Mapping[str, str], **more: Located | None) -> Located:
    """A mapping with other names for some keys; an empty name leaves the key out."""
    assert isinstance(value.value, dict)
    kept = {names.get(name, name): one for name, one in value.value.items() if names.get(name, name)}
    return Located({**kept, **{name: one for name, one in more.items() if one is not None}}, value.place)


def _word(value: Any, place: Place) -> Located:
    return Located(value, place)


def _optimizer(config: Located) -> Located | None:
    optimizer = config.at("optimizer")
    if optimizer is None:
        return None
    mixed = config.at("fp16") is not None or "Fp16" in str(_given(config, "optimizer_config", "type"))
    return _mapping(
        optimizer.place,
        type=_word("AmpOptimWrapper" if mixed else "OptimWrapper", optimizer.place),
        optimizer=_renamed(optimizer, {"paramwise_cfg": ""}),
        paramwise_cfg=optimizer.at("paramwise_cfg"),
        clip_grad=_given(config, "optimizer_config", "grad_clip"),
        accumulative_counts=_given(config, "optimizer_config", "cumulative_iters"),
    )


def _schedule(config: Located) -> Located | None:
    given = config.at("lr_config")
    if given is None:
        return None
    place, steps = given.place, []
    if (length := given.at("warmup_iters")) is not None and given.at("warmup") is not None:
        ratio = given.at("warmup_ratio") or _word(0.1, place)
        kind = _word("LinearLR", place)
        by_steps = _word(False, place)
        steps.append(_mapping(place, type=kind, start_factor=ratio, by_epoch=by_steps, end=length))
    policy = given.at("policy")
    kind = _word(SCHEDULES.get(str(policy.value), str(policy.value)) if policy else None, place)
    rest = _renamed(given, {"policy": "", "min_lr": "eta_min", "step": "milestones"}, type=kind)
    steps.append(_renamed(rest, dict.fromkeys(("warmup", "warmup_iters", "warmup_ratio"), "")))
    return Located(steps, place)


def _loop(config: Located) -> Located:
    runner = config.at("runner")
    assert runner is not None
    interval = _given(config, "evaluation", "interval")
    return _mapping(
        runner.place, max_iters=runner.at("max_iters"), max_epochs=runner.at("max_epochs"), val_interval=interval
    )


def _dataset(config: Located) -> Located | None:
    """The training data, inside RepeatDataset if it has that."""
    train = _given(config, "data", "train")
    inner = None if train is None else train.at("dataset")
    return inner if inner is not None else train


def _steps(pipeline: Located | None) -> Iterator[Located]:
    """The steps of a pipeline, also those inside MultiScaleFlipAug."""
    for step in pipeline.held() if pipeline is not None else ():
        yield step
        yield from _steps(step.at("transforms"))


def _preprocessor(config: Located) -> Located:
    """Mean and standard deviation from Normalize, and what evaluation rounds sides to."""
    data = _dataset(config)
    found: dict[str, Located] = {}
    for step in _steps(data.at("pipeline") if data is not None else None):
        if _kind(step) == "Normalize":
            names = (("mean", "mean"), ("std", "std"), ("to_rgb", "bgr_to_rgb"))
            found |= {new: one for old, new in names if (one := step.at(old)) is not None}
    for step in _steps(_test(config)):
        if _kind(step) in ALIGNED and (divisor := step.at("size_divisor")) is not None:
            found["test_cfg"] = Located({"size_divisor": divisor}, divisor.place)
    return Located(found, _place(config, "data"))


def _kind(step: Located) -> Any:
    kind = step.at("type")
    return None if kind is None else kind.value


def _loader(config: Located) -> Located | None:
    dataset = _dataset(config)
    if dataset is None:
        return None
    prefix = _mapping(dataset.place, img_path=dataset.at("img_dir"), seg_map_path=dataset.at("ann_dir"))
    classes = dataset.at("classes")
    meta = None if classes is None else _mapping(classes.place, classes=classes)
    old = {"img_dir": "", "ann_dir": "", "classes": "", "split": "ann_file"}
    place = _place(config, "data")
    new = _renamed(dataset, old, data_prefix=prefix, metainfo=meta)
    return _mapping(place, batch_size=_given(config, "data", "samples_per_gpu"), dataset=new)


def _test(config: Located) -> Located | None:
    return _given(config, "data", "val", "pipeline") or _given(config, "data", "test", "pipeline")


def _test_pipeline(config: Located) -> Located | None:
    """The resize of MultiScaleFlipAug, as a step of its own."""
    pipeline = _test(config)
    for step in _steps(pipeline):
        if _kind(step) == "MultiScaleFlipAug" and (scale := step.at("img_scale")) is not None:
            resize = {"type": _word("Resize", step.place), "scale": scale, "keep_ratio": _word(True, step.place)}
            return Located([Located(resize, step.place)], step.place)
    return pipeline
