"""Tells whether an exported model still gives its own answers on this machine: python -m foveate.check MODEL."""

from __future__ import annotations

import sys
import warnings

from foveate.pipeline.export.check_model import faults_of


def main(words: list[str]) -> int:
    """Check an exported model.

    Args:
        words: The file, and perhaps --resaved.

    Returns:
        0 if it gives the model's answers here, else 1.
    """
    if not words or words[0] in ("-h", "--help"):
        print("usage: python -m foveate.check MODEL [--resaved]   (--resaved: accept a file saved by other software)")
        return 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, on its own formats
            faults = faults_of(words[0], "--resaved" in words)
    except Exception as error:  # a runtime may raise anything for a damaged file
        faults = [f"it does not run here: {type(error).__name__}: {' '.join(str(error).split())[:300]}"]
    print("\n".join(f"WRONG {fault}" for fault in faults) or "the file gives the model's answers here")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
