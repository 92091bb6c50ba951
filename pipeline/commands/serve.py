"""The command `foveate serve`: a trained model over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

from foveate.pipeline.command_line import parse_options
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.serving.limits import Limits

NEEDED = ("starlette", "uvicorn", "python_multipart")


@dataclass(frozen=True)
class ServeOptions:
    """Answer requests for predictions over HTTP, until SIGTERM or Ctrl-C: POST /predict, GET /health, GET /metrics.

    Only this machine is answered unless --host says otherwise; there is no login and no encryption, so put a proxy in
    front before others can reach it. At SIGTERM every request that was taken is answered first.

    Example: foveate serve runs/latest --port 8000

    Args:
        model: A checkpoint, a run directory, a folder or repository of the hub (owner/name), or an exported file.
        host: The address to listen on; 0.0.0.0 for every one of this machine.
        port: The port; 0 for any free one.
        engine: What runs the network: torch, folded, compile, openvino, or auto, the fastest here.
        device: cpu, cuda, cuda:1 ..., or auto: a GPU if there is one.
        precision: float32 or bfloat16.
        batch: Images of one size that go through the network together, at most.
        wait_ms: Milliseconds that a lone image waits for others.
        max_mb: Largest request, in megabytes.
        max_megapixels: Largest image, in million pixels; read from its header before it is decoded.
        seconds: Time limit of a request, from its first byte to its answer.
        requests: Requests at a time; more are refused with 503.
        plugins: Modules that the model needs, separated by commas; those of its run are found by themselves.
    """

    model: str
    host: str = "127.0.0.1"
    port: int = 8000
    engine: str = "auto"
    device: str = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    batch: int = 8
    wait_ms: float = 2.0
    max_mb: float = 20.0
    max_megapixels: float = 16.0
    seconds: float = 30.0
    requests: int = 64
    plugins: str | None = None


def run(words: Sequence[str]) -> None:
    """Run the command.

    Args:
        words: The arguments after `foveate serve`.

    Raises:
        ConfigError: An option does not fit, the address is taken, or the extra is not installed.
    """
    options = parse_options("foveate serve", ServeOptions, words)
    limits = limits_of(options)
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError(f"foveate serve needs {', '.join(missing)}: pip install 'foveate[serve]'")
    from foveate.pipeline.serving.application import Service  # late: they import torch
    from foveate.pipeline.serving.listening import listen
    from foveate.pipeline.serving.server import serve

    with listen(options.host, options.port) as listener:
        model = load_model(options, limits)
        host, port = listener.getsockname()[:2]
        address = f"[{host}]" if ":" in host else host
        print(f"serving {options.model} on http://{address}:{port} (POST /predict); Ctrl-C ends", flush=True)
        serve(Service(model, limits), listener)
    print("ended; every request that was taken has its answer", flush=True)


def limits_of(options: ServeOptions) -> Limits:
    """The limits that options describe.

    Args:
        options: Of the command.

    Raises:
        ConfigError: One of them is not positive.
    """
    values = {name: getattr(options, name) for name in ("batch", "max_mb", "max_megapixels", "seconds", "requests")}
    wrong = [f"--{name} {value}" for name, value in values.items() if not value > 0]
    if wrong or options.wait_ms < 0:
        raise ConfigError(f"{', '.join(wrong) or f'--wait_ms {options.wait_ms}'}: accepted: numbers above 0")
    return Limits(
        bytes=round(options.max_mb * 1e6),
        pixels=round(options.max_megapixels * 1e6),
        seconds=options.seconds,
        requests=options.requests,
        batch=options.batch,
        wait=options.wait_ms / 1000,
    )


def load_model(options: ServeOptions, limits: Limits) -> Any:
    """The model that is served.

    Args:
        options: Of the command.
        limits: What the server accepts.
    """
    from foveate.pipeline.predictor.source import open_source
    from foveate.pipeline.serving.model import model_of
    from foveate.plugins.selection import split_names

    source = open_source(options.model, split_names(options.plugins) if options.plugins else ())
    return model_of(
        source,
        limits.pixels,
        engine=options.engine,
        device=options.device,
        precision=options.precision,
        batch_size=limits.batch,
    )
