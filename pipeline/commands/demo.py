"""The command `foveate demo`: a page in the browser on which images and videos are dropped."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from foveate.pipeline.command_line import run_single
from foveate.pipeline.errors import ConfigError


def show_demo(
    model: str,
    other: str | None = None,
    port: int = 7860,
    host: str = "127.0.0.1",
    engine: str = "auto",
    device: str = "auto",
    share: bool = False,
    browser: bool = False,
    plugins: str | None = None,
) -> None:
    """Show a page on which images and videos are dropped: overlay, class shares, confidence, why.

    It works without a network, and only on this machine unless --host or --share says otherwise. Ctrl-C ends.

    Example: foveate demo runs/latest

    Args:
        model: A checkpoint, a run directory, a folder or repository of the hub (owner/name), or an exported file.
        other: A second one, to compare side by side; also without --other, after the first.
        port: The port; 0 for any free one.
        host: The address to listen on; 0.0.0.0 for every one of this machine.
        engine: What runs the network: torch, folded, compile, openvino, or auto, the fastest here.
        device: cpu, cuda, cuda:1 ..., or auto: a GPU if there is one.
        share: Also give access to everybody who knows an address, through a server of gradio's makers.
        browser: Open a browser.
        plugins: Modules that the models need, separated by commas; those of a run are found by themselves.

    Raises:
        ConfigError: An option does not fit, the port is taken, or the extra is not installed.
    """
    if find_spec("gradio") is None:
        raise ConfigError("foveate demo needs gradio: pip install 'foveate[demo]', best in an environment of its own")
    from foveate.pipeline.demo.running import run_page  # late: torch takes a second
    from foveate.pipeline.predictor import Predictor
    from foveate.plugins.selection import split_names

    modules = split_names(plugins) if plugins else ()
    given = [model] if other is None else [model, other]
    loaded = [Predictor.load(one, engine=engine, device=device, plugins=modules) for one in given]
    run_page(dict(zip(names_of(given), loaded, strict=True)), host=host, port=port, share=share, browser=browser)


def names_of(given: Sequence[str]) -> list[str]:
    """Short names of models that differ: the end of their paths.

    Args:
        given: Paths or repositories.

    Example:
        >>> names_of(["runs/a/0001", "runs/b/0001"]), names_of(["runs/latest"])
        (['a/0001', 'b/0001'], ['runs/latest'])
    """
    parts = [Path(one).parts for one in given]
    for count in range(2, max(2, *map(len, parts)) + 1):
        names = ["/".join(one[-count:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{one} ({number})" for number, one in enumerate(given, 1)] if len(given) > 1 else ["/".join(parts[0])]


def run(words: Sequence[str]) -> None:
    """Run `foveate demo`.

    Args:
        words: The command line after it.
    """
    given = list(words) or ["--help"]
    if len(given) > 1 and not any(word.startswith("-") for word in given[:2]):
        given.insert(1, "--other")
    run_single("foveate demo", show_demo, given)
