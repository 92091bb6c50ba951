"""The command `foveate recipes from-mmseg`: a recipe from a config of mmsegmentation."""

from __future__ import annotations

import sys
from pathlib import Path

from foveate.datasets.files.strict_yaml import parse_yaml
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.files import replacing
from foveate.pipeline.mmseg.recipe import convert
from foveate.plugins.output import print_json


def convert_config(config: str, out: str | None = None, network: str | None = None, json: bool = False) -> None:
    """Write a recipe from a config of mmsegmentation 1.x, which is read and not run.

    Example: foveate recipes from-mmseg configs/segnext/segnext_mscan-t.py --out mine.yaml

    Args:
        config: The config, a .py file; the files in its _base_ are read too.
        out: Recipe to write; printed if not given.
        network: Network to take instead of the config's, such as mobilenet_v2_100+smp:DeepLabV3Plus.
        json: Print recipe and notes (what it leaves out, or says in another way) as JSON.
    """
    text, notes = convert(Path(config).expanduser(), network)
    if out is not None:
        _write(text, out, len(notes))
    if json:
        told = [{"place": str(note.place), "text": note.text} for note in notes]
        print_json({"recipe": parse_yaml(text), "notes": told, "file": out})
    elif out is None:
        print(text, end="")


def _write(text: str, out: str, notes: int) -> None:
    target = Path(out).expanduser()
    if target.exists():
        raise ConfigError(f"{out}: exists already; give another --out, or remove it")
    with replacing(target) as draft:
        draft.write_text(text, encoding="utf-8")
    told = f"written; {notes} lines at its end say what it leaves out, or says in another way"
    print(f"{out}: {told}", file=sys.stderr)
