"""Reads YAML from anywhere: only plain values, no key twice, and no file that grows when its aliases are expanded."""

from __future__ import annotations

from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MOST_ADDED = 100_000  # values that aliases may add to those that are written out


class StrictLoader(yaml.SafeLoader):
    """Safe YAML loader that refuses a key given twice, and aliases that multiply what is written.

    YAML itself takes the last of two keys, so that the first is lost without a word. A few lines of aliases of aliases
    stand for billions of values ("billion laughs").
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._sizes: dict[int, int] = {}  # of each node with all below it, aliases expanded
        self._nodes: list[Node] = []  # which keeps them alive, so that no two have one id

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        """The next node.

        Raises:
            yaml.YAMLError: Its aliases stand for too many values, or it holds itself.
        """
        is_alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        if node is None or id(node) in self._sizes:
            return node
        if is_alias:
            raise yaml.composer.ComposerError(None, None, "an alias refers to what it is in", node.start_mark)
        self._nodes.append(node)
        size = 1 + sum(self._sizes[id(child)] for child in _children(node))
        self._sizes[id(node)] = size
        if size > len(self._nodes) + MOST_ADDED:
            raise yaml.composer.ComposerError(None, None, "its aliases stand for too many values", node.start_mark)
        return node

    def compose_mapping_node(self, anchor: Any) -> MappingNode:
        """The next mapping.

        Raises:
            yaml.YAMLError: It has a key twice.
        """
        node = super().compose_mapping_node(anchor)
        seen: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            first = seen.get((key.tag, key.value))
            if first is not None:
                problem = f"key {key.value!r} is given twice, first in line {first}"
                raise yaml.composer.ComposerError(None, None, problem, key.start_mark)
            seen[key.tag, key.value] = key.start_mark.line + 1
        return node


def _children(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []


def parse_yaml(text: str, loader: type[StrictLoader] = StrictLoader) -> Any:
    """The plain values in a YAML or JSON text.

    Args:
        text: The text.
        loader: A loader that reads some values otherwise.

    Raises:
        yaml.YAMLError: It is no YAML, holds a tag for anything but plain values, a key twice, or too many aliases.

    Example:
        >>> parse_yaml("classes: [sky, road]")
        {'classes': ['sky', 'road']}
    """
    try:
        return yaml.load(text, loader)
    except RecursionError:
        raise yaml.YAMLError("nested too deeply") from None
    except (ValueError, OverflowError) as error:  # such as the 31st of February
        raise yaml.YAMLError(f"a value cannot be read: {error}") from error
