"""The shape of the code: which file imports which, how long functions are, what docstrings say of arguments."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOUSE = ("datasets", "pipeline", "plugins")
FILES = [ROOT / "cli.py", *sorted(path for folder in HOUSE for path in (ROOT / folder).rglob("*.py"))]
LONGEST = 60  # code lines of a function, docstring aside
MOST = 10  # parameters of a signature
Function = ast.FunctionDef | ast.AsyncFunctionDef
Graph = dict[str, set[str]]

# Lists of records, and signatures whose parameters are the keys of a recipe or the options of a command.
LISTS = {"foveate_encoders", "foveate_blocks"}
OPTIONS = {
    "SegmentationTask.__init__",
    "ClassificationTask.__init__",
    "create_classifier",
    "VisionTransformer.__init__",
    "ImagesDataModule.__init__",
    "WandbLogger.__init__",  # of the recipe
    "convolve",  # kernels of Triton, which take numbers and pointers one by one
    "correlate",
}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path) for path in FILES}


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node, but for what only type checkers read."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from statements(node)


def imports_of(source: str) -> set[str]:
    """Our modules that a source imports, also inside functions."""
    found = set()
    for node in statements(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("foveate."):
            module = str(node.module).removeprefix("foveate.")
            found |= {name if (name := f"{module}.{alias.name}") in MODULES else module for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("foveate.") for alias in node.names if alias.name.startswith("foveate.")}
    return found & MODULES


def circle(graph: Graph) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(name) for name in error.args[1]]
    return []


def folder_of(module: str) -> str:
    """The folder below the three rooms in which a module lies; a module at the top of a room stands for itself."""
    return module if (ROOT / module.replace(".", "/")).is_dir() or module.count(".") < 2 else module.rpartition(".")[0]


GRAPH: Graph = {module_of(path): imports_of(path.read_text()) - {module_of(path)} for path in FILES}


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert circle(GRAPH) == []


def test_no_folder_imports_itself_by_way_of_others() -> None:
    folders: Graph = {}
    for module, imported in GRAPH.items():
        folders.setdefault(folder_of(module), set()).update(map(folder_of, imported))
    for folder, imported in folders.items():
        imported.discard(folder)
    assert circle(folders) == []


def test_a_circle_is_found_inside_functions_too() -> None:
    late = "def late():\n    from foveate.pipeline.errors import ConfigError\n    from foveate.pipeline import task"
    assert imports_of(late) == {"pipeline.errors", "pipeline.task"}
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) != []


def functions(path: Path) -> Iterator[tuple[str, Function]]:
    """Every function and method, by its name with the class before it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{f.name}", f) for f in node.body if isinstance(f, Function))
        elif isinstance(node, ast.Module):
            yield from ((f.name, f) for f in node.body if isinstance(f, Function))


def code_lines(function: Function, lines: Sequence[str]) -> int:
    """Lines of the body, without docstring, comments and blank lines."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    inside = lines[body[0].lineno - 1 : body[-1].end_lineno]
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in inside)


def parameters(function: Function) -> list[str]:
    given = function.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls")]


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_functions_are_short(path: Path) -> None:
    lines = path.read_text().splitlines()
    lengths = {name: code_lines(f, lines) for name, f in functions(path) if name not in LISTS}
    assert {name: length for name, length in lengths.items() if length >= LONGEST} == {}


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_signatures_are_short(path: Path) -> None:
    wide = {name: len(parameters(f)) for name, f in functions(path) if len(parameters(f)) > MOST}
    assert {name: count for name, count in wide.items() if name not in OPTIONS} == {}


def described(docstring: str | None) -> list[str] | None:
    """The names under `Args:`; None where there is no such section."""
    section = re.search(r"^Args:\n((?:[ ]{4}.*\n?|\n)*)", docstring or "", flags=re.MULTILINE)
    if section is None:
        return None
    heads = re.findall(r"^[ ]{4}(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: \([^)]*\))?:", section[1], flags=re.MULTILINE)
    return [name.lstrip("*") for head in heads for name in head.split(", ")]


def documented(path: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each docstring with arguments: whose, what it names, and what the signature takes."""
    for name, function in functions(path):
        names = described(ast.get_docstring(function))
        if names is not None:
            yield name, names, all_parameters(function)
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ClassDef) or (names := described(ast.get_docstring(node))) is None:
            continue
        init = next((f for f in node.body if isinstance(f, Function) and f.name == "__init__"), None)
        if init is not None:
            yield node.name, names, all_parameters(init)


def all_parameters(function: Function) -> list[str]:
    rest = [one.arg for one in (function.args.vararg, function.args.kwarg) if one is not None]
    return [*parameters(function), *rest]


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_the_arguments_described_are_those_of_the_signature(path: Path) -> None:
    wrong = [(name, sorted(set(names) ^ set(taken))) for name, names, taken in documented(path)]
    assert [entry for entry in wrong if entry[1]] == []


def test_a_missing_and_a_misplaced_argument_are_noticed(tmp_path: Path) -> None:
    docstring = "Do.\n\n    Args:\n        a: One.\n\n    Raises:\n        X: No.\n        b: Two.\n    "
    source = f'def f(a, b):\n    """{docstring}"""\n'
    (tmp_path / "m.py").write_text(source)
    assert list(documented(tmp_path / "m.py")) == [("f", ["a"], ["a", "b"])]
