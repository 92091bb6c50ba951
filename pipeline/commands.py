"""`foveate models` and `foveate recipes`: what there is to choose from."""

from __future__ import annotations

from foveate.pipeline.models import list_models
from foveate.pipeline.training.recipes import find_recipe, list_recipes


def print_models() -> None:
    """List the networks that --model.network accepts.

    Example: foveate models list
    """
    print("\n".join(list_models()))


def print_recipes() -> None:
    """List the recipes that --config accepts by name, with the first line of each.

    Example: foveate recipes list
    """
    for name in list_recipes():
        first = find_recipe(name).read_text(encoding="utf-8").splitlines()[0]
        print(f"{name:<26}{first.lstrip('# ')}")


def show_recipe(recipe: str) -> None:
    """Print a recipe, to read it or to start your own from it.

    Example: foveate recipes show camvid_segnext_t > mine.yaml

    Args:
        recipe: Name of a shipped recipe, or a file.
    """
    print(find_recipe(recipe).read_text(encoding="utf-8"), end="")


MODELS = {"list": print_models}
RECIPES = {"list": print_recipes, "show": show_recipe}
