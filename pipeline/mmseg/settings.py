"""The settings of a config: which of them were taken into the recipe, and what is to be said of the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.mmseg.located import Located, Place

LONGEST = 60  # letters of a value in a comment


@dataclass(frozen=True)
class Note:
    """Something about one line of a config that a recipe does not say."""

    place: Place
    text: str


class Settings:
    """Values of a config by their path, such as `model.backbone.depth`.

    Args:
        config: The merged config.
    """

    def __init__(self, config: Located) -> None:
        self.config = config
        self.taken: set[str] = set()
        self.notes: list[Note] = []

    def find(self, path: str) -> Located | None:
        """A value and its place, without taking it; None if there is none.

        Args:
            path: Keys and positions, separated by dots.
        """
        found: Located | None = self.config
        for key in path.split("."):
            found = None if found is None else found.at(key)
        return found

    def names(self) -> list[str]:
        """The names that the config gives."""
        return list(self.config.value) if isinstance(self.config.value, dict) else []

    def take(self, path: str, default: Any = None) -> Any:
        """A value, which counts as taken into the recipe from now on.

        Args:
            path: See `find`.
            default: What mmseg takes where a config says nothing.
        """
        self.taken.add(path)
        found = self.find(path)
        return default if found is None else found.plain()

    def need(self, path: str) -> Any:
        """The same for a value that every config has.

        Args:
            path: See `find`.

        Raises:
            ConfigError: There is none.
        """
        if self.find(path) is None:
            raise ConfigError(f"{self.config.place.file}: it gives no {path}, which every config of a training has")
        return self.take(path)

    def pass_over(self, *paths: str) -> None:
        """Settings that mean nothing for a recipe, or what it does anyway.

        Args:
            paths: See `find`.
        """
        self.taken.update(paths)

    def tell(self, path: str, text: str) -> None:
        """Say something about a setting in the recipe; the setting counts as taken.

        Args:
            path: See `find`.
            text: What there is to say.
        """
        self.taken.add(path)
        found = self.find(path)
        self.notes.append(Note(self.config.place if found is None else found.place, text))

    def expect(self, path: str, usual: Any, text: str) -> None:
        """Take a setting, and say something if it is not as expected.

        Args:
            path: See `find`.
            usual: The value that needs no word; also taken where there is none.
            text: What is to be said of another.
        """
        given = self.take(path, usual)
        if given != usual:
            self.tell(path, f"{path} = {shorten(given)}: {text}")

    def items(self, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Path and content of each mapping in a list, such as the steps of a pipeline.

        Args:
            path: See `find`. A single mapping counts as a list of one.
        """
        found = self.find(path)
        if found is None:
            return
        if isinstance(found.value, dict):
            yield path, found.plain()
        elif isinstance(found.value, list):
            for number, one in enumerate(found.value):
                if isinstance(one.value, dict):
                    yield f"{path}.{number}", one.plain()

    def left(self) -> Iterator[tuple[str, Located]]:
        """What nobody has taken: the largest parts of which nothing was taken."""
        yield from self._left("", self.config)

    def _left(self, path: str, value: Located) -> Iterator[tuple[str, Located]]:
        if path in self.taken:
            return
        inside = f"{path}." if path else ""
        if path and not any(one.startswith(inside) for one in self.taken):
            yield path, value
            return
        held: Mapping[str, Located] | Sequence[Located] = value.value if isinstance(value.value, dict | list) else []
        pairs = held.items() if isinstance(held, Mapping) else enumerate(held)
        for key, one in pairs:
            yield from self._left(f"{inside}{key}", one)


def shorten(value: Any) -> str:
    """A value in few letters.

    Args:
        value: A plain value.

    Example:
        >>> shorten({"type": "SGD", "lr": 0.1}), len(shorten(list(range(100))))
        ("{'type': 'SGD', 'lr': 0.1}", 60)
    """
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
