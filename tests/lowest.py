"""The lowest allowed version of every dependency, as requirements for pip: python -m foveate.tests.lowest.

A bound without a third number means the last of these: rich>=13 is tested as rich 13.0.*. `make test-lowest` installs
them. torch and torchvision keep any allowed version, since their wheels are large and depend on the machine.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

FREE = ("torch", "torchvision")
APART = ("all", "demo")  # extras: the sum of the others, and the one that wants another Pillow
BOUND = re.compile(r"(?P<name>[\w.-]+)(?P<extras>\[[\w,]+\])?>=(?P<version>[\d.]+)")


def lowest(requirements: Iterable[str]) -> Iterator[str]:
    """The lowest version of each requirement; those without a lower bound stay as they are.

    Args:
        requirements: As pyproject.toml has them.

    Example:
        >>> list(lowest(["rich>=13,<16", "a[b]>=4.53", "safetensors>=0.4.3", "c==2.0.8", "torch>=2.6,<3"]))
        ['rich==13.0.*', 'a[b]==4.53.*', 'safetensors==0.4.3', 'c==2.0.8', 'torch>=2.6,<3']
    """
    for requirement in requirements:
        found = BOUND.match(requirement)
        if found is None or found["name"] in FREE:
            yield requirement
            continue
        numbers = found["version"].split(".")
        exact = ".".join(numbers) if len(numbers) > 2 else ".".join([*numbers, "0"][:2]) + ".*"
        yield f"{found['name']}{found['extras'] or ''}=={exact}"


def all_lowest(pyproject: Path) -> list[str]:
    """The lowest versions of all that the package and its extras need.

    Args:
        pyproject: The file.
    """
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    extras = [one for name, given in project["optional-dependencies"].items() if name not in APART for one in given]
    return [*dict.fromkeys(lowest([*project["dependencies"], *extras]))]


if __name__ == "__main__":
    print("\n".join(all_lowest(Path(__file__).parents[1] / "pyproject.toml")))
