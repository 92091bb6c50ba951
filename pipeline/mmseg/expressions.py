"""Evaluates the few expressions that configs are made of. Nothing of a config is ever run."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from foveate.pipeline.mmseg.located import Located, Place

LONGEST = 10_000  # items of a list, or letters of a text, that an operation may give
LARGEST = 1e18  # number that an operation may give
HIGHEST = 8  # exponent
ACCEPTED = "accepted: numbers, texts, lists, tuples, dict(...), names assigned above, + - * / // % **, [i for i in x]"
INHERITED = re.compile(r"\{\{\s*(_base_(?:\.\w+)+)\s*\}\}")
OF_FILE = re.compile(r"\{\{\s*(file\w+)\s*\}\}")
OPERATIONS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
NUMBERS: Mapping[str, Callable[[Any], Any]] = {"sum": sum, "len": len, "min": min, "max": max}
SIGNS: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}


class Evaluator:
    """Values of expressions of one file.

    Args:
        file: The config.
        names: Variables assigned so far; the caller adds to it.
        inherited: What the `_base_` files give.
    """

    def __init__(self, file: Path, names: dict[str, Located], inherited: Located) -> None:
        self.file = file
        self.names = names
        self.inherited = inherited
        self.kinds: Mapping[type[ast.expr], Callable[[Any], Located]] = {
            ast.Constant: self._constant,
            ast.Name: self._name,
            ast.List: self._list,
            ast.Tuple: self._list,
            ast.Set: self._set,
            ast.Dict: self._dict,
            ast.Call: self._call,
            ast.BinOp: self._operation,
            ast.UnaryOp: self._sign,
            ast.Subscript: self._subscript,
            ast.Attribute: self._attribute,
            ast.ListComp: self._comprehension,
            ast.JoinedStr: self._joined,
        }

    def place(self, node: ast.expr | ast.stmt) -> Place:
        """The line of a node.

        Args:
            node: A part of the file's syntax tree.
        """
        return Place(self.file, node.lineno)

    def value(self, node: ast.expr) -> Located:
        """The value of an expression.

        Args:
            node: The expression.

        Raises:
            ConfigError: It is of a kind that configs do not need, such as a call, or uses an unknown name.
        """
        kind = self.kinds.get(type(node))
        if kind is None:
            raise self._refusal(node)
        return kind(node)

    def _refusal(self, node: ast.expr) -> Exception:
        text = " ".join(ast.unparse(node).split())
        short = text if len(text) <= 60 else f"{text[:57]}..."
        return self.place(node).error(f"`{short}` is not evaluated, since configs are read and not run ({ACCEPTED})")

    def _constant(self, node: ast.Constant) -> Located:
        value = node.value
        if isinstance(value, str):
            return self._text(node, value)
        if not isinstance(value, int | float | None) or (isinstance(value, int) and abs(value) > LARGEST):
            raise self._refusal(node)
        return Located(value, self.place(node))

    def _text(self, node: ast.expr, text: str) -> Located:
        """A text, in which {{_base_.x}} and {{fileBasename}} stand for what they name."""
        if whole := INHERITED.fullmatch(text.strip()):
            return Located(self._inherited(node, whole[1].split(".")[1:]).value, self.place(node))
        for found in reversed(list(INHERITED.finditer(text))):
            inner = self._inherited(node, found[1].split(".")[1:]).plain()
            text = f"{text[: found.start()]}{inner}{text[found.end() :]}"
        own = {
            "fileDirname": str(self.file.parent),
            "fileBasename": self.file.name,
            "fileBasenameNoExtension": self.file.stem,
            "fileExtname": self.file.suffix,
        }
        text = OF_FILE.sub(lambda found: own.get(found[1], found[0]), text)
        if len(text) > LONGEST:
            raise self.place(node).error(f"a text of {len(text)} letters; at most {LONGEST} are read")
        return Located(text, self.place(node))

    def _inherited(self, node: ast.expr, keys: list[str]) -> Located:
        found: Located | None = self.inherited
        for key in keys:
            found = None if found is None else found.at(key)
        if found is None:
            raise self.place(node).error(f"_base_.{'.'.join(keys)}: the _base_ files do not give it")
        return found

    def _name(self, node: ast.Name) -> Located:
        if node.id not in self.names:
            raise self.place(node).error(f"{node.id} is not assigned above in this file")
        return Located(self.names[node.id].value, self.place(node))

    def _list(self, node: ast.List | ast.Tuple) -> Located:
        items: list[Located] = []
        for one in node.elts:
            if isinstance(one, ast.Starred):
                items += self._items(one.value)
            else:
                items.append(self.value(one))
        return Located(items, self.place(node))

    def _items(self, node: ast.expr) -> list[Located]:
        value = self.value(node).value
        if not isinstance(value, list):
            raise self._refusal(node)
        return value

    def _set(self, node: ast.Set) -> Located:
        """{{_base_.x}} without quotes, which Python parses as a set in a set."""
        inner = node.elts[0]
        if len(node.elts) == 1 and isinstance(inner, ast.Set) and len(inner.elts) == 1:
            return self._attribute(inner.elts[0])
        raise self._refusal(node)

    def _dict(self, node: ast.Dict) -> Located:
        items: dict[str, Located] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                items |= self._mapping(value)
            else:
                items[self._key(key)] = self.value(value)
        return Located(items, self.place(node))

    def _key(self, node: ast.expr) -> str:
        key = self.value(node).value
        if not isinstance(key, str | int | float):
            raise self._refusal(node)
        return str(key)

    def _mapping(self, node: ast.expr) -> dict[str, Located]:
        value = self.value(node).value
        if not isinstance(value, dict):
            raise self._refusal(node)
        return value

    def _call(self, node: ast.Call) -> Located:
        """dict(...), list(x) and tuple(x), and the sum, len, min or max of a list; no other function is called."""
        called = node.func.id if isinstance(node.func, ast.Name) and node.func.id not in self.names else ""
        if called in NUMBERS and len(node.args) == 1 and not node.keywords:
            return self._number(node, NUMBERS[called])
        if called in ("list", "tuple") and len(node.args) <= 1 and not node.keywords:
            return Located(list(self._items(node.args[0])) if node.args else [], self.place(node))
        if called != "dict" or len(node.args) > 1:
            raise self._refusal(node)
        items = dict(self._mapping(node.args[0])) if node.args else {}
        for keyword in node.keywords:
            items |= self._mapping(keyword.value) if keyword.arg is None else {keyword.arg: self.value(keyword.value)}
        return Located(items, self.place(node))

    def _number(self, node: ast.Call, function: Callable[[Any], Any]) -> Located:
        numbers = [one.value for one in self._items(node.args[0])]
        if not numbers or not all(isinstance(one, int | float) for one in numbers):
            raise self._refusal(node)
        return Located(function(numbers), self.place(node))

    def _operation(self, node: ast.BinOp) -> Located:
        left, right = self.value(node.left), self.value(node.right)
        function = OPERATIONS.get(type(node.op))
        if function is None or not _is_small(node.op, left.value, right.value):
            raise self._refusal(node)
        try:
            result = function(left.value, right.value)
        except (TypeError, ArithmeticError) as error:
            raise self.place(node).error(f"`{ast.unparse(node)[:60]}`: {error}") from error
        if isinstance(result, complex) or (isinstance(result, int | float) and abs(result) > LARGEST):
            raise self._refusal(node)
        return Located(result, self.place(node))

    def _sign(self, node: ast.UnaryOp) -> Located:
        value = self.value(node.operand).value
        function = SIGNS.get(type(node.op))
        if function is None or not isinstance(value, int | float):
            raise self._refusal(node)
        return Located(function(value), self.place(node))

    def _subscript(self, node: ast.Subscript) -> Located:
        held = self.value(node.value)
        if isinstance(node.slice, ast.Slice) and isinstance(held.value, list):
            first, last = self._end(node.slice.lower), self._end(node.slice.upper)
            if node.slice.step is None:
                return Located(held.value[first:last], self.place(node))
        elif not isinstance(node.slice, ast.Slice):
            index = self.value(node.slice).value
            if isinstance(held.value, list) and isinstance(index, int) and -len(held.value) <= index < len(held.value):
                return Located(held.value[index].value, self.place(node))
            if isinstance(held.value, dict) and str(index) in held.value:
                return Located(held.value[str(index)].value, self.place(node))
        raise self.place(node).error(f"`{ast.unparse(node)[:60]}`: there is no such item")

    def _end(self, node: ast.expr | None) -> int | None:
        """An end of a slice."""
        value = None if node is None else self.value(node).value
        if node is not None and not isinstance(value, int):
            raise self._refusal(node)
        return value if isinstance(value, int) else None

    def _attribute(self, node: ast.expr) -> Located:
        """_base_.model.backbone, what a file inherits."""
        keys: list[str] = []
        inner = node
        while isinstance(inner, ast.Attribute):
            keys.insert(0, inner.attr)
            inner = inner.value
        if not keys or not isinstance(inner, ast.Name) or inner.id != "_base_":
            raise self._refusal(node)
        return Located(self._inherited(node, keys).value, self.place(node))

    def _comprehension(self, node: ast.ListComp) -> Located:
        """[dict(scale=s) for s in scales], with one loop and without a condition."""
        loop = node.generators[0]
        if len(node.generators) > 1 or loop.ifs or loop.is_async or not isinstance(loop.target, ast.Name):
            raise self._refusal(node)
        name, hidden = loop.target.id, self.names.get(loop.target.id)
        items = []
        for item in self._items(loop.iter)[: LONGEST + 1]:
            self.names[name] = item
            items.append(self.value(node.elt))
        self.names.pop(name, None)
        if hidden is not None:
            self.names[name] = hidden
        return Located(items, self.place(node))

    def _joined(self, node: ast.JoinedStr) -> Located:
        """f"{name}-{size}", without a format."""
        text = ""
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                value = self.value(part.value).value
                if part.format_spec is not None or isinstance(value, dict | list):
                    raise self._refusal(node)
                text += str(value)
            elif isinstance(part, ast.Constant):
                text += str(part.value)
        return self._text(node, text)


def _is_small(kind: ast.operator, left: Any, right: Any) -> bool:
    """Whether an operation takes little time and memory."""
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if isinstance(kind, ast.Pow):
        return numbers and abs(right) <= HIGHEST
    if isinstance(kind, ast.Add) and type(left) is type(right) and isinstance(left, list | str):
        return len(left) + len(right) <= LONGEST
    if isinstance(kind, ast.Mult) and not numbers:
        text, times = (left, right) if isinstance(right, int) else (right, left)
        return isinstance(text, list | str) and isinstance(times, int) and len(text) * abs(times) <= LONGEST
    return numbers
