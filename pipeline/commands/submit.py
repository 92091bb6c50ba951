"""`foveate submit`: predictions of Cityscapes' test split as the zip that its server takes."""

from __future__ import annotations

from collections.abc import Sequence

from foveate.pipeline.answering import answer
from foveate.pipeline.command_line import run_single
from foveate.pipeline.errors import ConfigError

COUNT, SIZE = 1525, "1024x2048"  # of the test split


def submit(
    ckpt_path: str | None = None,
    out: str = "submission.zip",
    check: str | None = None,
    split: str = "test",
    count: int = COUNT,
    size: str = SIZE,
    engine: str = "torch",
    json: str | None = None,
    flags: Sequence[str] = (),
) -> None:
    """Predict Cityscapes' test split, write the zip that its server takes, and check it; or check one that there is.

    The predictions stay in a folder beside the zip. After an interruption the same command goes on with the rest.
    Checked are names, number, size, that images have 8 bits and one channel, and that they hold regular ids of classes.

    Example: foveate submit --ckpt_path best --data.root ~/cityscapes --out submission.zip

    Args:
        ckpt_path: The checkpoint: a file, best or last.
        out: The zip.
        check: A zip, or a folder of predictions, that is checked instead; nothing is predicted. With --data.root its
            names are compared with those of the images.
        split: The split whose images are predicted.
        count: The number of images; another number is refused.
        size: Height and width of every image.
        engine: What runs the network, as in foveate predict.
        json: File for what was checked, or - for standard output, also without a value.
        flags: Not given by name: --data.root, and options as in foveate predict, such as --model.inference.mode slide.

    Raises:
        ConfigError: There is neither a checkpoint nor something to check, or `out` is no zip.
    """
    from foveate.pipeline.commands.submitting import Asked, make_submission, recheck  # late: NumPy takes a while

    if check is not None:
        answer(json, lambda: recheck(check, Asked(out, split, count, size), flags))
        return
    if ckpt_path is None:
        raise ConfigError("give --ckpt_path CHECKPOINT, such as best, or --check FILE.zip")
    if not out.endswith(".zip"):
        raise ConfigError(f"--out is a file that ends with .zip, not {out}")
    words = ["--ckpt_path", ckpt_path, "--engine", engine]
    answer(json, lambda: make_submission(words, Asked(out, split, count, size), flags))


def run(words: Sequence[str]) -> None:
    """Run `foveate submit`.

    Args:
        words: The command line after it.
    """
    run_single("foveate submit", submit, words or ["--help"])
