"""The loss of a recipe from `model.decode_head.loss_decode`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foveate.pipeline.mmseg.network import HEAD
from foveate.pipeline.mmseg.settings import Settings

LOSS, SAMPLER = f"{HEAD}.loss_decode", f"{HEAD}.sampler"
NAMES = {"DiceLoss": "dice", "FocalLoss": "focal", "LovaszLoss": "lovasz", "TverskyLoss": "tversky"}
KNOWN = ("type", "loss_weight", "loss_name", "use_sigmoid", "class_weight", "avg_non_ignore", "gamma", "thresh")


def carry_loss(settings: Settings) -> Any:
    """A loss in the words of a recipe: a mapping, or a list of them.

    Args:
        settings: The config.
    """
    losses = [_carry(settings, path, given) for path, given in settings.items(LOSS)]
    losses = [one for one in losses if one] or [{"name": "cross_entropy", "average": "all_pixels"}]
    if settings.find(SAMPLER) is not None:
        losses[0] = _mining(settings, losses[0])
    if len(losses) == 1 and losses[0].get("weight", 1) == 1:
        return {key: value for key, value in losses[0].items() if key != "weight"}
    return losses


def _carry(settings: Settings, path: str, given: Mapping[str, Any]) -> dict[str, Any]:
    kind, weight = given.get("type", "CrossEntropyLoss"), given.get("loss_weight", 1.0)
    known = {f"{path}.{name}" for name in KNOWN}
    settings.pass_over(*known)
    found: dict[str, Any]
    if kind == "CrossEntropyLoss":
        found = _cross_entropy(settings, path, given)
    elif kind in NAMES:
        found = {"name": NAMES[kind]}
        settings.tell(
            f"{path}.type", f"{kind} becomes {NAMES[kind]}, which is defined otherwise in details (docs/from-mmseg.md)"
        )
        if kind == "FocalLoss" and "gamma" in given:
            found["gamma"] = given["gamma"]
    else:
        settings.tell(path, f"{kind}: there is no such loss here (foveate plugins list --what losses); left out")
        return {}
    return {**found, "weight": weight}


def _cross_entropy(settings: Settings, path: str, given: Mapping[str, Any]) -> dict[str, Any]:
    if given.get("use_sigmoid"):
        settings.tell(f"{path}.use_sigmoid", "use_sigmoid = True: here every pixel has one class, by softmax")
    weights = given.get("class_weight")
    if isinstance(weights, str):
        settings.tell(f"{path}.class_weight", f"class weights of the file {weights} are not read; write them as a list")
        weights = None
    if weights is not None:
        return {"name": "cross_entropy", "average": "valid", "class_weights": weights}
    return {"name": "cross_entropy", "average": "valid" if given.get("avg_non_ignore") else "all_pixels"}


def _mining(settings: Settings, loss: Mapping[str, Any]) -> dict[str, Any]:
    """Online hard example mining in place of the first loss."""
    kind = settings.take(f"{SAMPLER}.type")
    if kind != "OHEMPixelSampler" or loss["name"] != "cross_entropy":
        settings.tell(SAMPLER, f"the sampler {kind} has no counterpart here")
        return dict(loss)
    threshold, least = settings.take(f"{SAMPLER}.thresh"), settings.take(f"{SAMPLER}.min_kept", 100_000)
    settings.tell(
        SAMPLER, "ohem is averaged over the kept pixels here, over all pixels in mmseg: its loss is larger here"
    )
    found = {"name": "ohem", "threshold": threshold, "min_kept": least, "weight": loss["weight"]}
    if "class_weights" in loss:
        found["class_weights"] = loss["class_weights"]
    return {key: value for key, value in found.items() if value is not None}
