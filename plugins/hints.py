"""Suggestions for mistyped names, options and paths: the one place that decides what is similar."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable

MOST = 3  # names that are suggested
SIMILAR = 0.6  # ratio from which a name is suggested, as difflib counts it
MARGIN = 0.03  # only names nearly as similar as the first are suggested beside it


def nearest(given: str, accepted: Iterable[str], most: int = MOST, similar: float = SIMILAR) -> list[str]:
    """The accepted names most similar to a mistyped one, the best first; only names about as similar as the best.

    Case, hyphens, underscores, dots and a prefix such as `timm:` do not count, and `+` is read as `plus`. A name that
    differs in nothing else is the only suggestion.

    Args:
        given: What was typed.
        accepted: The names that exist.
        most: How many are returned at most.
        similar: From which ratio (0-1) a name counts as similar.

    Example:
        >>> nearest("cbma", ["cbam", "se"]), nearest("unet", ["smp:Unet", "smp:UnetPlusPlus"])
        (['cbam'], ['smp:Unet'])
        >>> nearest("digits_mscan", ["digits_mscan_t", "digits_vit_ti", "imagenet_mscan_t"])
        ['digits_mscan_t']
    """
    by_key: dict[str, str] = {}
    for name in accepted:
        by_key.setdefault(key_of(name), name)
    wanted = key_of(given)
    if wanted in by_key:
        return [by_key[wanted]]
    close = difflib.get_close_matches(wanted, by_key, n=len(by_key) or 1, cutoff=similar) if wanted else []
    likeness = {key: difflib.SequenceMatcher(None, key, wanted).ratio() for key in close}
    ranked = sorted((key for key in by_key if key in likeness), key=lambda key: -likeness[key])[:most]
    return [by_key[key] for key in ranked if likeness[key] >= likeness[ranked[0]] - MARGIN]


def key_of(name: str) -> str:
    """What of a name counts when it is compared: no case, hyphens, underscores, dots or prefix such as `timm:`.

    Args:
        name: Any name.

    Example:
        >>> key_of("smp:DeepLabV3+"), key_of("--model.optimizer.lr")
        ('deeplabv3plus', 'modeloptimizerlr')
    """
    bare = name.rpartition(":")[2].lower().replace("+", "plus")
    return re.sub(r"[^\w]|_", "", bare)


def did_you_mean(given: str, accepted: Iterable[str]) -> str:
    """`; did you mean 'x'?` with at most three accepted names that are similar, else an empty string.

    Args:
        given: What was typed.
        accepted: The names that exist.

    Example:
        >>> did_you_mean("cbma", ["cbam", "se"])
        "; did you mean 'cbam'?"
        >>> did_you_mean("segnext", ["segnext_t", "segnext_s", "van_b0"])
        "; did you mean 'segnext_t' or 'segnext_s'?"
    """
    return suggest(nearest(given, accepted))


def suggest(names: Iterable[str]) -> str:
    """The sentence that suggests names; empty without any.

    Args:
        names: The names, the best first.

    Example:
        >>> suggest(["a", "b", "c"])
        "; did you mean 'a', 'b' or 'c'?"
    """
    *others, last = [repr(name) for name in names] or [""]
    listed = f"{', '.join(others)} or {last}" if others else last
    return f"; did you mean {listed}?" if last else ""


def nearest_options(given: str, accepted: Iterable[str]) -> list[str]:
    """The options most similar to a mistyped one; a short name finds the options that end with it.

    Args:
        given: What was typed, with its hyphens.
        accepted: The options that exist, as typed.

    Example:
        >>> options = ["--model.optimizer.lr", "--model.optimizer.name", "--data.root"]
        >>> nearest_options("--lr", options), nearest_options("--model.optimiser.lr", options)
        (['--model.optimizer.lr'], ['--model.optimizer.lr'])
    """
    names = list(dict.fromkeys(accepted))
    ending = f".{given.lstrip('-')}"
    longer = [name for name in names if name.endswith(ending)]
    return longer[:MOST] or nearest(given, names) or _by_last_word(given, names)


def _by_last_word(given: str, names: Iterable[str]) -> list[str]:
    """Options that end with the last word of a dotted one, whatever is before it."""
    _, dot, last = given.rpartition(".")
    return [name for name in names if name.endswith(f".{last}")][:MOST] if dot else []


def did_you_mean_path(path: str | os.PathLike[str]) -> str:
    """`; did you mean 'runs/latest'?` for a path that does not exist, where a similar one does; else an empty string.

    The first part of the path that does not exist is compared with what lies beside it.

    Args:
        path: A file or folder.
    """
    wanted, rest = os.path.expanduser(os.fspath(path)).rstrip(os.sep), ""
    if os.path.exists(wanted):
        return ""
    while (parent := os.path.dirname(wanted)) and not os.path.isdir(parent):
        rest = os.path.join(os.path.basename(wanted), rest).rstrip(os.sep)
        wanted = parent
    try:
        beside = os.listdir(parent or ".")
    except OSError:
        return ""
    similar = (os.path.join(parent, name, rest).rstrip(os.sep) for name in nearest(os.path.basename(wanted), beside))
    return suggest(name for name in similar if os.path.exists(name))
