"""The repository itself: packages, arrows between them, hooks, examples in docstrings, dependencies."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from foveate.plugins import hookspecs

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
HOUSE = ("datasets", "pipeline", "plugins")
FILES = sorted(path for folder in HOUSE for path in (ROOT / folder).rglob("*.py"))
HOOKS = [name for name in vars(hookspecs) if name.startswith("foveate_")]

# What each folder may import of ours.
ARROWS = {
    "plugins": ("foveate.plugins",),
    "datasets": ("foveate.datasets",),
    "datasets/files": ("foveate.datasets", "foveate.plugins.ops.native.loading"),  # what compiles C++ exists once
    "pipeline": (
        "foveate.pipeline",
        "foveate.plugins",
        "foveate.datasets.batch",
        "foveate.datasets.classes",
        "foveate.datasets.cores",  # how many cores a process may use
        "foveate.datasets.doctor.preflight",  # one function that takes any data module
        "foveate.datasets.files.locking",  # a lock exists once
        "foveate.datasets.files.strict_yaml",  # what refuses hostile YAML exists once
        "foveate.datasets.fingerprint",  # one function that takes any data module
        "foveate.datasets.labels",
        "foveate.datasets.loading.seeding",  # a sample and a step are seeded alike
        "foveate.datasets.loading.workers",  # a training ends the processes that read for it
        "foveate.datasets.pages",  # the look of every page
        "foveate.datasets.statistics",
    ),
    "pipeline/scoring": (
        "foveate.pipeline",
        "foveate.plugins",
        "foveate.datasets",
    ),  # reads label files without a data module
    "pipeline/demo": ("foveate.pipeline", "foveate.plugins", "foveate.datasets.errors"),
    "pipeline/serving": ("foveate.pipeline", "foveate.plugins", "foveate.datasets.errors", "foveate.datasets.labels"),
    "pipeline/commands": ("foveate.pipeline", "foveate.plugins", "foveate.datasets"),  # what people do with data sets
    "pipeline/predictor": ("foveate.pipeline", "foveate.plugins", "foveate.datasets"),  # reads images
    "pipeline/export": ("foveate.pipeline", "foveate.plugins", "foveate.datasets"),  # likewise
    "pipeline/named_weights": (
        "foveate.pipeline",
        "foveate.plugins",
        "foveate.datasets.files.locking",  # a lock and a progress bar exist once
        "foveate.datasets.progress",
    ),
    "pipeline/diagnosis": (
        "foveate.pipeline",
        "foveate.plugins",
        "foveate.datasets.cores",
        "foveate.datasets.files.png",  # is it compiled?
    ),
    "pipeline/doubt": ("foveate.pipeline", "foveate.plugins", "foveate.datasets"),  # likewise
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(["foveate", *(parts[:-1] if parts[-1] == "__init__" else parts)])


def imports(source: str) -> Iterator[str]:
    """Every module of ours that a source imports, wherever in it; `.` for a relative import."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "foveate")
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield "."
        elif isinstance(node, ast.ImportFrom) and node.module == "foveate":
            yield from (f"foveate.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("foveate."):
            yield str(node.module)


def is_allowed(module: str, allowed: tuple[str, ...]) -> bool:
    return any(module == one or module.startswith(f"{one}.") for one in allowed)


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_follow_the_arrows(path: Path) -> None:
    folder = path.relative_to(ROOT).parent.as_posix()
    allowed = ARROWS.get(folder, ARROWS[path.relative_to(ROOT).parts[0]])
    assert [module for module in imports(path.read_text()) if not is_allowed(module, allowed)] == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("import foveate.cli", "foveate.cli"),
        ("from foveate import cli", "foveate.cli"),
        ("from foveate.pipeline.losses import cross_entropy", "foveate.pipeline.losses"),
        ("from .losses import cross_entropy", "."),
        ("def late():\n    from foveate.pipeline import models", "foveate.pipeline"),
    ],
)
def test_no_way_to_import_is_overlooked(line: str, found: str) -> None:
    assert list(imports(line)) == [found]
    assert not is_allowed(found, ARROWS["plugins"])


def test_the_packages_listed_are_the_folders_there_are() -> None:
    folders = {module_name(path) for path in FILES if path.name == "__init__.py"}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == {"foveate", *folders}


def test_every_folder_of_python_files_is_a_package() -> None:
    assert {path.parent for path in FILES} == {path.parent for path in FILES if path.name == "__init__.py"}


def test_the_commands_and_the_predictor_s_names_alone_lie_at_the_root() -> None:
    assert sorted(path.name for path in ROOT.glob("*.py")) == ["__init__.py", "check.py", "cli.py"]


def test_the_root_says_that_it_is_typed_and_ships_the_mark() -> None:
    assert (ROOT / "py.typed").is_file()
    assert PROJECT["tool"]["setuptools"]["package-data"]["foveate"] == ["py.typed"]


def test_no_other_package_lies_at_the_root() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py") if not path.parent.name.startswith(".")}
    assert packages - {"build"} == set(HOUSE)


@pytest.mark.parametrize("folder", HOUSE)
def test_each_folder_says_that_it_is_typed_and_ships_the_mark(folder: str) -> None:
    assert (ROOT / folder / "py.typed").is_file()
    assert "py.typed" in PROJECT["tool"]["setuptools"]["package-data"][f"foveate.{folder}"]


def test_there_are_hooks() -> None:
    assert "foveate_blocks" in HOOKS


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_is_described(name: str) -> None:
    described = inspect.getdoc(getattr(hookspecs, name))
    assert described
    assert "Returns:" in described


EXTRAS = [line for extra in PROJECT["project"]["optional-dependencies"].values() for line in extra]


@pytest.mark.parametrize("line", [*PROJECT["project"]["dependencies"], *EXTRAS])
def test_every_dependency_has_a_lower_bound(line: str) -> None:
    requirement = Requirement(line)
    assert requirement.name == "foveate" or {s.operator for s in requirement.specifier} & {">=", "==", "~="}


TOLD = re.compile(r"'(?:foveate|\.)\[([a-z,]+)\]'")
READ = [*FILES, *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("examples/**/*.*")), ROOT / "README.md"]


def test_extras_that_people_are_told_to_install_exist() -> None:
    named = {
        (path.name, extra)
        for path in READ
        if path.suffix in (".py", ".md", ".ipynb")
        for extras in TOLD.findall(path.read_text())
        for extra in extras.split(",")
    }
    assert len(named) > 20
    assert not [one for one in named if one[1] not in PROJECT["project"]["optional-dependencies"]]


# Without the import hook of the other tests: doctest passes over decorated functions.
RUN_DOCTESTS = """
import doctest, importlib, sys
done = []
for name in sys.argv[1:]:
    try:
        done.append(doctest.testmod(importlib.import_module(name)))
    except ModuleNotFoundError as error:
        if error.name != "gradio":  # not in the environment of the tests: see the extra `demo`
            raise
print("attempted", sum(d.attempted for d in done), "failed", sum(d.failed for d in done))
"""


def count_examples() -> int:
    sources = [path.read_text() for path in [*FILES, ROOT / "cli.py"]]
    return sum(len(re.findall(r"^\s*>>> ", source, flags=re.MULTILINE)) for source in sources)


def test_the_examples_in_docstrings_run(tmp_path: Path) -> None:
    names = [*map(module_name, FILES), "foveate.cli"]
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, "-c", RUN_DOCTESTS, *names], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"attempted {count_examples()} failed 0", done.stdout
