"""What can be asked about: the parts of a recipe, and everything that has a name in one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foveate.pipeline.describing.options import OptionDoc, describe
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.recipes import Recipe, arguments_of, class_of
from foveate.plugins.building import load
from foveate.plugins.hints import did_you_mean, nearest_options, suggest
from foveate.plugins.manager import installed_plugins
from foveate.plugins.records import Block, DataSet, Decoder, Encoder, Loss, Metric, Record

RECORDS: dict[str, type[Record]] = {
    "block": Block,
    "encoder": Encoder,
    "decoder": Decoder,
    "loss": Loss,
    "metric": Metric,
    "data": DataSet,
}
OTHER_WORDS = {"attention": "block"}  # as recipes call it
GIVEN_TO_TASKS = ("labels", "in_channels")  # the data module gives them
GROUPS = ("optimizer", "schedule", "inference", "normalisation")  # of the model's options
Describe = Callable[[Recipe, str], "Topic"]


@dataclass(frozen=True)
class Topic:
    """The options of one thing.

    Attributes:
        name: What was asked about.
        heading: What it is.
        before: What an option's name is preceded by on the command line; empty if it stands inside a value.
        options: Its options.
        note: How they are given.
    """

    name: str
    heading: str
    before: str
    options: list[OptionDoc]
    note: str = ""


def find_topic(name: str, recipe: Recipe) -> Topic:
    """The options of what a name stands for.

    Args:
        name: `model`, `data`, `trainer`, `optimizer`, `loss` ...; or with a name behind a dot: `loss.dice`.
        recipe: The recipe whose classes are in use; empty for the usual ones.

    Raises:
        ConfigError: There is no such topic, or nothing of that name.
    """
    head, _, tail = name.removeprefix("--").partition(".")
    head = OTHER_WORDS.get(head, head)
    if head not in TOPICS:
        hint = did_you_mean(head, TOPICS)
        raise ConfigError(f"no topic {head!r}{hint} (topics: {', '.join(TOPICS)}; a name after a dot: loss.dice)")
    return TOPICS[head](recipe, tail)


def _model(recipe: Recipe, tail: str) -> Topic:
    from foveate.pipeline.classification import ClassificationTask
    from foveate.pipeline.segmentation import SegmentationTask

    kind = ClassificationTask if class_of(recipe, "model") == "ClassificationTask" else SegmentationTask
    options = _chosen("model", describe(kind, leave_out=GIVEN_TO_TASKS), tail)
    return Topic("model", f"{kind.__name__}: {_first_line(kind)}", "--model.", options)


def _group(group: str) -> Describe:
    def topic(recipe: Recipe, tail: str) -> Topic:
        found = _model(recipe, group)
        named = arguments_of(recipe, "model").get(group)
        name = tail or (str(named.get("name", "")) if isinstance(named, Mapping) else "")
        if group != "optimizer" or not name:
            return found
        return Topic(group, f"optimizer {name}", "--model.", [*found.options, *_optimiser(name)], OPTIMIZER_NOTE)

    return topic


OPTIMIZER_NOTE = "The last ones are the optimiser's own: --model.optimizer.options '{betas: [0.9, 0.95]}'."


def _optimiser(name: str) -> list[OptionDoc]:
    from foveate.pipeline.optimisation.named_optimisers import GIVEN, find_kind

    kind = find_kind(name)
    own = describe(kind.build, leave_out=GIVEN)
    return [OptionDoc(f"optimizer.options.{one.name}", one.kind, one.default, one.required, one.about) for one in own]


def _record(word: str) -> Describe:
    def topic(recipe: Recipe, tail: str) -> Topic:
        name = tail or _in_use(word, recipe)
        if not name:
            known = ", ".join(_names(RECORDS[word]))
            raise ConfigError(f"which {word}? write {word}.NAME, or give --config RECIPE (known: {known})")
        offer = installed_plugins().find(name, RECORDS[word])
        record = offer.record
        kind = load(offer)
        if word == "data":
            return Topic(f"data.{record.name}", record.summary, "--data.", describe(kind))
        leave_out = [*record.given, "num_classes"]
        options = describe(kind, leave_out=leave_out, first=0 if word in ("loss", "metric") else 1)
        return Topic(f"{word}.{record.name}", record.summary, "", options, _note(word, record.name, options))

    return topic


def _note(word: str, name: str, options: Sequence[OptionDoc]) -> str:
    where = {
        "loss": "--model.loss",
        "block": "--model.attention.gate",
        "metric": "--model.metrics+",
        "encoder": "--model.network_options",
        "decoder": "--model.network_options",
    }[word]
    if not options:
        return ""
    one = options[0]
    given = f"{one.name}: {one.default_text}"
    if word in ("encoder", "decoder"):
        return f"Given as {where} '{{{word}: {{{given}}}}}' of ENCODER+DECODER, and '{{{given}}}' of another network."
    inside = f"name: {name}, {given}"
    return f"Given as {where} '{{{inside}}}'."


def _in_use(word: str, recipe: Recipe) -> str:
    """The name that a recipe gives for a part; empty if it gives none."""
    if word == "data":
        described = recipe.get("data") or {}
        path = str(described.get("class_path", "")) if isinstance(described, Mapping) else str(described)
        wanted = path.rpartition(".")[2]
        records = (offer.record for offer in installed_plugins().of_kind(DataSet))
        return next((record.name for record in records if record.class_path.rpartition(".")[2] == wanted), "")
    if word == "loss":
        given = arguments_of(recipe, "model").get("loss", "cross_entropy")
        given = given[0] if isinstance(given, list) and given else given
        return str(given.get("name", "")) if isinstance(given, Mapping) else str(given)
    return ""


def _names(kind: type[Record]) -> list[str]:
    return [offer.record.name for offer in installed_plugins().of_kind(kind)]


def _trainer(recipe: Recipe, tail: str) -> Topic:
    import lightning.pytorch as L

    return Topic("trainer", "Lightning's Trainer", "--trainer.", _chosen("trainer", describe(L.Trainer), tail))


def _logger(recipe: Recipe, tail: str) -> Topic:
    from importlib import import_module

    from foveate.pipeline.runs.recipes import LOGGERS

    name = tail or "wandb"
    if name not in LOGGERS:
        raise ConfigError(f"no logger {name!r}{did_you_mean(name, LOGGERS)} (known: {', '.join(LOGGERS)})")
    module, _, attribute = LOGGERS[name].rpartition(".")
    kind = getattr(import_module(module), attribute)
    return Topic(f"logger.{name}", _first_line(kind), "--trainer.logger.", describe(kind))


def _plain(module: str, attribute: str, before: str) -> Describe:
    def topic(recipe: Recipe, tail: str) -> Topic:
        from importlib import import_module

        kind = getattr(import_module(module), attribute)
        name = before.strip("-.")
        return Topic(name, _first_line(kind), before, _chosen(name, describe(kind), tail))

    return topic


def _chosen(topic: str, options: list[OptionDoc], tail: str) -> list[OptionDoc]:
    """The options with a name, or in a group of that name; all without one."""
    found = [one for one in options if not tail or one.name == tail or one.name.startswith(f"{tail}.")]
    if not found:
        hint = suggest(nearest_options(f"{topic}.{tail}", [f"{topic}.{one.name}" for one in options]))
        raise ConfigError(f"{topic} has no option {tail!r}{hint} (see: foveate options {topic})")
    return found


def _first_line(kind: Any) -> str:
    return next(iter((kind.__doc__ or "").strip().splitlines()), "")


TOPICS: dict[str, Describe] = {
    "model": _model,
    "data": _record("data"),
    "trainer": _trainer,
    **{group: _group(group) for group in GROUPS[:3]},
    **{word: _record(word) for word in ("loss", "block", "metric", "encoder", "decoder")},
    "logger": _logger,
    "pictures": _plain("foveate.pipeline.callbacks.sample_drawer", "PictureOptions", "--pictures."),
    "checkpoints": _plain("foveate.pipeline.callbacks.checkpoints", "SavingOptions", "--checkpoints."),
}


def topic_words(words: Iterable[str]) -> list[str]:
    """The topics among the words of a command line.

    Args:
        words: The words after `--help`.
    """
    known = {*TOPICS, *OTHER_WORDS}
    return [word for word in words if word.partition(".")[0] in known]
