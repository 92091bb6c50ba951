"""The command: picks what to do before it imports anything heavy, and ends with the right exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

if __name__ == "__main__":  # python cli.py: the root is the package, its folders are no top-level packages
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != os.path.dirname(os.path.abspath(__file__))]


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    import foveate.datasets.camvid
    import foveate.datasets.cityscapes
    import foveate.pipeline.segmentation
    from foveate.pipeline.training.command import main as m
    m(words[0], words[1:])
    return 0

if __name__ == "__main__":
    sys.exit(main())
