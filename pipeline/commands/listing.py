"""The commands `foveate models` and `foveate recipes`, which list the available networks and recipes."""

from __future__ import annotations

from typing import Any

from foveate.pipeline.commands.from_mmseg import convert_config
from foveate.pipeline.models import list_models
from foveate.pipeline.runs.recipes import find_recipe, list_recipes, load_yaml
from foveate.plugins.manager import Offer, installed_plugins
from foveate.plugins.output import print_json
from foveate.plugins.records import Decoder, Encoder


def print_models(json: bool = False) -> None:
    """List the networks that --model.network accepts.

    Example: foveate models list

    Args:
        json: Print them as JSON.
    """
    plugins = installed_plugins()
    if json:
        parts = {kind.what: list(map(_described, plugins.of_kind(kind))) for kind in (Encoder, Decoder)}
        print_json({"segmenters": list_models(), **parts})
        return
    print("segmenters\n  " + "\n  ".join(list_models()))
    print("  ENCODER+DECODER, such as mobilenet_v2_100+smp:DeepLabV3Plus")
    for heading, kind in (("encoders (also classifiers)", Encoder), ("decoders", Decoder)):
        print(f"\n{heading}")
        for offer in plugins.of_kind(kind):
            name = offer.record.name + ":NAME" * bool(getattr(offer.record, "prefix", False))
            print(f"  {name:<18}{offer.record.summary}")


def _described(offer: Offer[Any]) -> dict[str, str]:
    record = offer.record
    return {"name": record.name + ":NAME" * record.prefix, "summary": record.summary, "paper": record.paper}


def print_recipes(json: bool = False) -> None:
    """List the recipes that --config accepts by name, with the first line of each.

    Example: foveate recipes list

    Args:
        json: Print them as JSON.
    """
    texts = {name: find_recipe(name).read_text(encoding="utf-8") for name in list_recipes()}
    first = {name: text.splitlines()[0].lstrip("# ") for name, text in texts.items()}
    if json:
        print_json({"recipes": [{"name": name, "summary": line} for name, line in first.items()]})
        return
    for name, line in first.items():
        print(f"{name:<36}{line}")


def show_recipe(recipe: str, json: bool = False) -> None:
    """Print a recipe, to read it or as a template for your own.

    Example: foveate recipes show camvid_segnext_t > mine.yaml

    Args:
        recipe: Name of a shipped recipe, or a file.
        json: Print it as JSON; defaults are filled in by foveate config show.
    """
    path = find_recipe(recipe)
    if json:
        print_json({"recipe": load_yaml(path)})
    else:
        print(path.read_text(encoding="utf-8"), end="")


MODELS = {"list": print_models}
RECIPES = {"list": print_recipes, "show": show_recipe, "from-mmseg": convert_config}
