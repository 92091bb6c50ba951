"""The commands `foveate models` and `foveate recipes`, which list the available networks and recipes."""

from __future__ import annotations

from foveate.pipeline.commands.from_mmseg import convert_config
from foveate.pipeline.models import list_models
from foveate.pipeline.runs.recipes import find_recipe, list_recipes
from foveate.plugins.manager import installed_plugins
from foveate.plugins.records import Decoder, Encoder


def print_models() -> None:
    """List the networks that --model.network accepts.

    Example: foveate models list
    """
    plugins = installed_plugins()
    print("segmenters\n  " + "\n  ".join(list_models()))
    print("  ENCODER+DECODER, such as mobilenet_v2_100+smp:DeepLabV3Plus")
    for heading, kind in (("encoders (also classifiers)", Encoder), ("decoders", Decoder)):
        print(f"\n{heading}")
        for offer in plugins.of_kind(kind):
            name = offer.record.name + ":NAME" * bool(getattr(offer.record, "prefix", False))
            print(f"  {name:<18}{offer.record.summary}")


def print_recipes() -> None:
    """List the recipes that --config accepts by name, with the first line of each.

    Example: foveate recipes list
    """
    for name in list_recipes():
        first = find_recipe(name).read_text(encoding="utf-8").splitlines()[0]
        print(f"{name:<36}{first.lstrip('# ')}")


def show_recipe(recipe: str) -> None:
    """Print a recipe, to read it or as a template for your own.

    Example: foveate recipes show camvid_segnext_t > mine.yaml

    Args:
        recipe: Name of a shipped recipe, or a file.
    """
    print(find_recipe(recipe).read_text(encoding="utf-8"), end="")


MODELS = {"list": print_models}
RECIPES = {"list": print_recipes, "show": show_recipe, "from-mmseg": convert_config}
