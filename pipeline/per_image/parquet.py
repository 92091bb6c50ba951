"""Whether a Parquet file can be written here; imports little, since a command line is checked before anything else."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from foveate.pipeline.errors import ConfigError

PARQUET = ".parquet"


def check_parquet(path: Path) -> None:
    """Refuse a Parquet file where pyarrow is missing.

    Args:
        path: The file.

    Raises:
        ConfigError: It is one, and pyarrow is not installed.
    """
    if path.suffix == PARQUET and find_spec("pyarrow") is None:
        raise ConfigError(f"{path}: Parquet needs pyarrow: pip install 'foveate[hub]', or name a .csv")
