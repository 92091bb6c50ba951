"""`foveate options`: the options of a part of a recipe, or of anything that has a name in one."""

from __future__ import annotations

from collections.abc import Sequence

from foveate.pipeline.command_line import run_single


def show_options(topic: str = "", config: str | None = None, plugins: str = "", json: bool = False) -> None:
    """Show the options of a part of a recipe: what each takes, its default, and what it does.

    Topics: model, data, trainer, optimizer, schedule, inference, pictures, checkpoints, logger; and with a name behind
    a dot: loss.dice, block.lka, data.camvid, encoder.mscan_t, decoder.light_ham, metric.boundary, optimizer.sgd,
    model.optimizer.lr. Of a recipe (--config), those of the classes that it uses.

    Example: foveate options loss.dice

    Args:
        topic: What to show; without it, the topics.
        config: A recipe, whose classes are shown.
        plugins: Other plugins to load: modules, files, paths or packages, separated by commas.
        json: Print it as JSON.
    """
    from foveate.pipeline.describing.topics import TOPICS

    if not topic:
        print("\n".join(TOPICS))
        return
    for line in lines_of(topic, config, plugins, as_json=json):
        print(line)


def lines_of(topic: str, config: str | None, plugins: str = "", *, as_json: bool = False) -> list[str]:
    """The options of a topic as lines.

    Args:
        topic: What to show.
        config: A recipe, whose classes are shown.
        plugins: Other plugins to load, separated by commas.
        as_json: As one JSON document instead.
    """
    from dataclasses import asdict

    from foveate.pipeline.describing.text import as_lines
    from foveate.pipeline.describing.topics import find_topic
    from foveate.pipeline.runs.recipes import find_recipe, read_recipe
    from foveate.pipeline.runs.remembered import trusted_modules
    from foveate.pipeline.startup import import_named
    from foveate.plugins.manager import installed_plugins
    from foveate.plugins.output import diverted, to_json
    from foveate.plugins.selection import split_names

    modules = split_names(plugins)
    if modules:
        installed_plugins(modules)
    recipe = read_recipe(find_recipe(config), trusted_modules(modules)) if config else {}
    with diverted():
        import_named()
        found = find_topic(topic, recipe)
    if not as_json:
        return as_lines(found)
    options = [{**asdict(one), "default": one.default_text} for one in found.options]
    return [to_json({"topic": found.name, "about": found.heading, "options": options})]


def run(words: Sequence[str]) -> None:
    """Run `foveate options`.

    Args:
        words: The command line after it.
    """
    given = list(words) or ["--help"]
    if not given[0].startswith("-"):
        given.insert(0, "--topic")
    run_single("foveate options", show_options, given)
