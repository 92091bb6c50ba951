"""Run the page until a signal comes; nothing leaves the machine."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foveate.pipeline.errors import ConfigError, Stopped
from foveate.pipeline.predictor import Predictor

OFFLINE = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
LARGEST = "1gb"  # of a video
FONTS = ("system-ui", "sans-serif")  # gradio's own come from a network


def run_page(models: Mapping[str, Predictor], *, host: str, port: int, share: bool, browser: bool) -> None:
    """Show the page until SIGTERM or Ctrl-C.

    Args:
        models: By the name that is shown.
        host: The address to listen on.
        port: 0 for any free one.
        share: Whether anybody gets access through a server of gradio's makers.
        browser: Whether a browser is opened.

    Raises:
        ConfigError: The port is taken.
    """
    os.environ.update(OFFLINE)  # before gradio is imported
    with tempfile.TemporaryDirectory(prefix="foveate-demo-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        page = _launched(models, Path(folder), host=host, port=port, share=share, browser=browser)
        print(f"demo of {', '.join(models)} on {page.local_url.rstrip('/')}; Ctrl-C ends", flush=True)
        if share:
            print(f"for everybody who knows the address: {page.share_url}", flush=True)
        try:
            threading.Event().wait()
        except (Stopped, KeyboardInterrupt):
            page.close(verbose=False)


def _launched(
    models: Mapping[str, Predictor], folder: Path, *, host: str, port: int, share: bool, browser: bool
) -> Any:
    import gradio as gr

    from foveate.pipeline.demo.page import build_page

    page = build_page(models, folder)
    try:
        page.launch(
            server_name=host,
            server_port=port or free_port(host),
            share=share,
            inbrowser=browser,
            quiet=True,
            prevent_thread_lock=True,
            max_file_size=LARGEST,
            allowed_paths=[str(folder)],
            ssr_mode=False,
            footer_links=[],
            theme=gr.themes.Base(font=FONTS, font_mono=("monospace",)),
        )
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port}; choose another --port, or 0 for any") from error
    return page


def free_port(host: str) -> int:
    """A port that is free now.

    Args:
        host: The address to listen on.
    """
    with socket.create_server((host, 0)) as taken:
        return int(taken.getsockname()[1])
