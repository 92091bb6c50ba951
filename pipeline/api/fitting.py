"""`foveate.fit`: trains a recipe from Python."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from foveate.pipeline.api.overrides import flags_of
from foveate.pipeline.api.trained_run import TrainedRun
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.recipes import dump_recipe
from foveate.pipeline.startup import import_named, keep_freed_memory, show_log


def fit(recipe: str | Path | Mapping[str, Any], **overrides: Any) -> TrainedRun:
    """Train a recipe in this process, as `foveate fit` does, in a run directory of its own below runs/.

    Args:
        recipe: Name of a shipped recipe, a YAML file, or the content of one.
        overrides: What differs from it: `model`, `data` and `trainer` with a mapping each, such as
            `data={"root": "scenes"}, trainer={"max_steps": 500}`; and options of the command, such as `early_stop=3`,
            `plugins="my_block.py"` or `ckpt_path="last"`.

    Raises:
        ConfigError: There is no such recipe or option, or `dry_run` is given, which leaves no run.

    Example:
        import foveate as fv

        run = fv.fit("digits_mobilenet_v2", trainer={"max_steps": 300})
        print(run.scores["acc"], run.checkpoint)
    """
    from foveate.pipeline.training.command import run
    from foveate.pipeline.training.request import understand

    if overrides.pop("dry_run", False):
        raise ConfigError("dry_run leaves no run: use the command, foveate fit --dry_run")
    keep_freed_memory()
    show_log("foveate.datasets")
    with _named(recipe) as name:
        request = understand("fit", ["--config", name, *flags_of(overrides)])
        import_named()
        directory = run(request)
    if directory is None:
        raise ConfigError("the training wrote no run directory: leave trainer.logger and trainer.default_root_dir on")
    return TrainedRun(directory)


@contextmanager
def _named(recipe: str | Path | Mapping[str, Any]) -> Iterator[str]:
    """A recipe as the command line takes it; its content in a file that lasts as long as the block."""
    if not isinstance(recipe, Mapping):
        yield str(recipe)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recipe.yaml"
        path.write_text(dump_recipe(recipe), encoding="utf-8")
        yield str(path)
