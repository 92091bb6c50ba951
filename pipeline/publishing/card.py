"""The model card: a README.md that tells what a model is, how good it is, how it was trained and how it is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from foveate.pipeline.publishing.facts import Facts
from foveate.pipeline.publishing.redaction import redact_text
from foveate.pipeline.runs.scores import Evaluation
from foveate.pipeline.text import few, markdown_table

FIGURES = {  # figure of a score file -> its name for a reader, and the hub's name for it
    "miou": ("mean IoU", "mean_iou"),
    "acc": ("accuracy", "accuracy"),
    "acc5": ("top-5 accuracy", ""),
    "macc": ("mean accuracy of the classes", ""),
    "aacc": ("accuracy of all pixels", ""),
    "mdice": ("mean Dice", ""),
    "calibration_error": ("calibration error", ""),
}
PER_CLASS = {"iou": "IoU %", "accuracy": "accuracy %"}
MOST = 60  # classes in a table
OURS = "foveate"


def write_card(facts: Facts, name: str, licence: str | None) -> str:
    """The text of the model card.

    Args:
        facts: What is known of the model.
        name: owner/name of the repository, or the folder as a user would give it.
        licence: The licence's SPDX identifier, or the hub's name for it; None if it is not stated.
    """
    parts = [
        _front_matter(facts, name, licence),
        _introduction(facts, name),
        _use(facts, name),
        _scores(facts),
        _parity(facts),
        _training(facts),
        _plugins(facts),
        _licence(licence),
    ]
    return redact_text("\n\n".join(part for part in parts if part) + "\n")


def _front_matter(facts: Facts, name: str, licence: str | None) -> str:
    data = _data_name(facts)
    content: dict[str, Any] = {
        **({"license": licence} if licence else {}),
        "library_name": OURS,
        "pipeline_tag": "image-segmentation" if facts.is_segmenter else "image-classification",
        "tags": [OURS, facts.model.network_name, *(["attention"] if facts.model.attention else [])],
    }
    found = _index(facts, data)
    if found:
        content["model-index"] = [{"name": name.rpartition("/")[2] or name, "results": found}]
    return f"---\n{yaml.safe_dump(content, sort_keys=False, allow_unicode=True)}---"


def _index(facts: Facts, data: str) -> list[dict[str, Any]]:
    """The headline scores in the form that the hub shows beside a model."""
    task = {"type": "image-segmentation" if facts.is_segmenter else "image-classification"}
    results = []
    for evaluation, figures in facts.scores:
        metrics = [
            {"type": kind, "value": round(float(figures[key]), 6), "name": title}
            for key, (title, kind) in FIGURES.items()
            if kind and figures.get(key) is not None
        ]
        kind = evaluation.data["class"].removesuffix("DataModule").lower()
        dataset = {"name": data, "type": kind, "split": evaluation.scored_split}
        if metrics:
            results.append({"task": task, "dataset": dataset, "metrics": metrics})
    return results


def _introduction(facts: Facts, name: str) -> str:
    model = facts.model
    what = "labels each pixel of an image" if facts.is_segmenter else "tells the class of an image"
    blocks = ", ".join(f"`{slot}`: {_block(block)}" for slot, block in (model.attention or {}).items() if block)
    lines = [
        f"# {name}",
        "",
        f"A network that {what}: `{model.network_name}`{f' with attention ({blocks})' if blocks else ''}, "
        f"{sum(one.numel() for one in model.network.parameters()):,} parameters, {len(model.classes)} classes"
        f"{f', trained on {data}' if (data := _data_name(facts)) else ''} with "
        f"Foveate {facts.version}.",
        "",
        f"Classes, in the order of the logits: {few(model.classes, MOST)}.",
    ]
    return "\n".join(lines)


def _block(block: Any) -> str:
    if isinstance(block, Mapping):
        given = {key: value for key, value in block.items() if key != "name" and value not in (None, [], {})}
        options = ", ".join(f"{key} {value}" for key, value in given.items())
        return f"{block.get('name')}{f' ({options})' if options else ''}"
    return " then ".join(map(_block, block)) if isinstance(block, list | tuple) else str(block)


def _use(facts: Facts, name: str) -> str:
    packages = (one["distribution"] for one in facts.providers.values() if not _is_module(one))
    needed = sorted({*packages} - {OURS})
    install = " ".join([OURS, *needed])
    result = (
        ['result = predictor("photo.jpg")', 'result.overlay().save("overlay.png")', "print(result.shares())"]
        if facts.is_segmenter
        else ['result = predictor("photo.jpg")', "print(result.top(3))"]
    )
    lines = [
        "## Use",
        "",
        f"    pip install {install}",
        "",
        "```python",
        "import foveate",
        "",
        f'predictor = foveate.load("{name}")',
        *result,
        "```",
    ]
    return "\n".join(lines)


def _scores(facts: Facts) -> str:
    if not facts.scores:
        return "## Scores\n\nNo scores lie beside the checkpoint."
    return "\n\n".join(["## Scores", *(part for one in facts.scores for part in _evaluation(*one))])


def _evaluation(evaluation: Evaluation, figures: Mapping[str, Any]) -> Iterator[str]:
    seen = f"{evaluation.images:,} images" if evaluation.images is not None else "images"
    yield f"### {evaluation.scored_split}, {seen}, step {evaluation.step}"
    rows = [
        [title, _figure(figures[key]), _interval(figures.get(f"{key}_interval"))]
        for key, (title, _) in FIGURES.items()
        if figures.get(key) is not None
    ]
    yield "\n".join(markdown_table(["score", "%", "95 % interval"], rows))
    interval = figures.get("interval") or {}
    if "count" in interval:
        yield f"Intervals: 95 %, over {interval['count']:,} {interval['of']}. {evaluation.note}."
    else:
        yield f"{evaluation.note}."
    columns = [key for key in PER_CLASS if isinstance(figures.get(key), Mapping)]
    if columns:
        names = list(figures[columns[0]])
        shown = [[each, *(_of_class(figures, key, each) for key in columns)] for each in names[:MOST]]
        yield "\n".join(markdown_table(["class", *(PER_CLASS[key] for key in columns)], shown))
        if len(names) > MOST:
            yield f"... and {len(names) - MOST} more classes."


def _of_class(figures: Mapping[str, Any], key: str, name: str) -> str:
    interval = _interval((figures.get(f"{key}_interval") or {}).get(name))
    return f"{_figure(figures[key].get(name))}{f' {interval}' if interval else ''}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _interval(ends: Sequence[float] | None) -> str:
    return f"[{100 * ends[0]:.1f}, {100 * ends[1]:.1f}]" if ends else ""


def _parity(facts: Facts) -> str:
    """How exported files of this model agree with it."""
    rows = [
        [
            str(one.get("file", "?")),
            str(one.get("precision", "?")),
            "x".join(map(str, each.get("size", ()))),
            str(each.get("images", "?")),
            f"{100 * float(each['equal']):.3f}" if each.get("equal") is not None else "-",
            "yes" if one.get("passed") else "no",
        ]
        for one in facts.parity
        for each in one.get("sizes") or [{}]
        if isinstance(each, Mapping)
    ]
    if not rows:
        return ""
    headings = ["exported file", "precision", "size", "images", "equal answers, %", "within the limits"]
    text = "Exported files of these weights, compared with PyTorch in float32 on the same images:"
    return "\n\n".join(["## Agreement of exported files", text, "\n".join(markdown_table(headings, rows))])


def _training(facts: Facts) -> str:
    arguments = (facts.recipe.get("model") or {}).get("init_args") or {}
    data = (facts.recipe.get("data") or {}).get("init_args") or {}
    trainer = facts.recipe.get("trainer") or {}
    told = {
        "data": _data_name(facts),
        "steps": facts.step,
        "batch size": data.get("total_batch") or data.get("batch_size"),
        "crop": "x".join(map(str, data["crop"])) if isinstance(data.get("crop"), list) else data.get("crop"),
        "image size": data.get("image_size"),
        "loss": _block(arguments.get("loss")) if arguments.get("loss") else None,
        "optimiser": _block(arguments.get("optimizer")) if arguments.get("optimizer") else None,
        "schedule": _block(arguments.get("schedule")) if arguments.get("schedule") else None,
        "started from": arguments.get("weights"),
        "precision": trainer.get("precision"),
        "seed": facts.recipe.get("seed_everything"),
        **{name: facts.circumstances.get(name) for name in ("python", "accelerator", "processor")},
        "fingerprint of the data": facts.circumstances.get("data"),
        "libraries": ", ".join(f"{n} {v}" for n, v in (facts.circumstances.get("libraries") or {}).items()),
    }
    lines = [f"- {key}: {value}" for key, value in told.items() if value not in (None, "", "none", {})]
    if not lines:
        return ""
    return "\n".join(["## Training", "", *lines, "", "The whole recipe is in recipe.yaml."])


def _plugins(facts: Facts) -> str:
    foreign = {label: one for label, one in facts.providers.items() if one.get("distribution") != OURS}
    if not foreign:
        return ""
    rows = [[label, one.get("distribution", "?"), _version(one)] for label, one in foreign.items()]
    text = "The model needs these plugins; without them it cannot be built."
    if any(map(_is_module, foreign.values())):
        text += " A module given with --plugins is a file of the author, and no package: ask for it."
    return "\n\n".join(["## Plugins", text, "\n".join(markdown_table(["part", "distribution", "version"], rows))])


def _is_module(provider: Mapping[str, str]) -> bool:
    """Whether a plugin was a module given on the command line."""
    return provider.get("entry_point", "").startswith("--plugins")


def _version(provider: Mapping[str, str]) -> str:
    return provider["entry_point"] if _is_module(provider) else provider.get("version", "?")


def _licence(licence: str | None) -> str:
    unknown = "Not stated: ask the author before you use the model. The training data have terms of their own."
    return f"## Licence\n\n{licence or unknown}"


def _data_name(facts: Facts) -> str:
    """The folder of the data and its data module; empty if the recipe is unknown."""
    data = facts.recipe.get("data") or {}
    kind = str(data.get("class_path", "")).rpartition(".")[2]
    root = (data.get("init_args") or {}).get("root")
    return f"{root} ({kind})" if root and kind else kind
