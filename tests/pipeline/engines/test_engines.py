"""Every engine gives what the network gives."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from foveate.pipeline.engines import NAMES, create_engine
from foveate.pipeline.engines.fold.network import fold
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models import create_model
from foveate.pipeline.models.light_ham import create_decoder
from foveate.pipeline.models.mscan import MSCAN
from foveate.pipeline.models.segmenter import Segmenter

Jitter = Callable[[nn.Module], nn.Module]
NETWORKS: list[tuple[str, dict[str, str]]] = [
    ("mscan_t", {}),
    ("van_b0", {}),
    ("mobilenet_v2_035", {}),
    ("vit_ti", {}),
    ("segnext_t", {}),
    ("mobilenet_v2_035+smp:DeepLabV3Plus", {}),
    ("segnext_t", {"gate": "cbam", "stage": "se"}),
    ("mobilenet_v2_035", {"block": "coordinate", "stage": "eca"}),
    ("smp:resnet18+smp:Unet", {}),
    ("timm:test_resnet+light_ham", {}),
]


def tiny_segmenter() -> Segmenter:
    encoder = MSCAN(channels=(8, 16, 16, 32), depths=(1, 1, 1, 1))
    return Segmenter(encoder, create_decoder("light_ham", in_channels=encoder.channels, strides=encoder.strides,
                                             num_classes=5, channels=32, rank=4))  # fmt: skip


def used(network: nn.Module, jitter: Jitter) -> nn.Module:
    """As after training: statistics and scales are no longer 0 and 1."""
    jitter(network)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2)  # type: ignore[arg-type]
    return network.eval()


def difference(given: Tensor, wanted: Tensor) -> float:
    return float((given.float() - wanted).norm() / wanted.norm())


@pytest.mark.parametrize(("name", "attention"), NETWORKS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_folded_network_gives_the_same(
    name: str, attention: dict[str, str], layout: torch.memory_format, jitter: Jitter
) -> None:
    network = used(create_model(name, num_classes=5, attention=attention), jitter)
    image = torch.randn(2, 3, 61, 93).contiguous(memory_format=layout)
    with torch.no_grad():
        wanted, given = network(image), fold(network, image)(image)
    assert math.isfinite(float(wanted.norm()))
    assert difference(given, wanted) < 1e-5
    assert given.shape == wanted.shape


def test_refined_logits_are_the_same_at_any_size(jitter: Jitter) -> None:
    options = {"stride": 2, "channels": 32, "rank": 4}
    network = used(create_model("mobilenet_v2_035+light_ham", num_classes=5, decoder=options), jitter)
    folded = fold(network, torch.randn(1, 3, 64, 96))
    for size in ((64, 96), (61, 93)):
        image = torch.randn(1, 3, *size)
        with torch.no_grad():
            assert difference(folded(image), network(image)) < 1e-5


@pytest.mark.parametrize("name", ["segnext_t", "mobilenet_v2_035+smp:DeepLabV3Plus", "smp:resnet18+smp:Unet"])
def test_no_batch_norm_is_left(name: str) -> None:
    folded = fold(create_model(name, num_classes=5), torch.rand(1, 3, 64, 64))
    assert not [module for module in folded.modules() if isinstance(module, nn.BatchNorm2d)]


def test_folding_leaves_the_network_alone(jitter: Jitter) -> None:
    network = used(tiny_segmenter(), jitter)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    fold(network, torch.rand(1, 3, 32, 32))
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_a_wide_map_is_folded_in_bands(jitter: Jitter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foveate.pipeline.models.folded_block.BAND_BYTES", 1)
    network, image = used(tiny_segmenter(), jitter), torch.randn(2, 3, 101, 67)
    with torch.no_grad():
        assert difference(fold(network, image)(image), network(image)) < 1e-5


@pytest.mark.parametrize("engine", ["torch", "folded"])
def test_bfloat16_is_near(engine: str, jitter: Jitter) -> None:
    network, image = used(tiny_segmenter(), jitter), torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        wanted = network(image)
    assert difference(create_engine(network, image, engine=engine, precision="bfloat16")(image), wanted) < 0.05


@pytest.mark.parametrize("engine", ["folded", pytest.param("openvino", marks=pytest.mark.slow)])
def test_an_engine_takes_other_sizes(engine: str, jitter: Jitter, request: pytest.FixtureRequest) -> None:
    if engine == "openvino":
        request.getfixturevalue("openvino")
    network = used(tiny_segmenter(), jitter)
    made = create_engine(network, torch.randn(1, 3, 64, 96), engine=engine)
    for size in ((64, 96), (45, 70)):
        image = torch.randn(1, 3, *size)
        with torch.no_grad():
            assert difference(made(image), network(image)) < 1e-5


def test_an_engine_labels_as_its_logits_say(jitter: Jitter) -> None:
    network, image = used(tiny_segmenter(), jitter), torch.randn(2, 3, 64, 96)
    engine = create_engine(network, image, engine="folded")
    assert torch.equal(engine.classify(image), engine(image).argmax(1))


@pytest.mark.slow
def test_auto_takes_one_of_those_that_agree_and_remembers_it(
    jitter: Jitter, monkeypatch: pytest.MonkeyPatch, unchecked: None
) -> None:
    network, image = used(tiny_segmenter(), jitter), torch.randn(1, 3, 64, 96)
    engine = create_engine(network, image, engine="auto")
    assert engine.name in NAMES
    assert "at 64 x 96" in engine.note
    monkeypatch.setattr("foveate.pipeline.engines.auto.try_engines", lambda *args: pytest.fail("tried again"))
    assert create_engine(network, torch.randn(1, 3, 32, 32), engine="auto").name == engine.name


def test_auto_prepares_nothing_for_a_few_small_images(jitter: Jitter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foveate.pipeline.engines.auto.build_engines", lambda *args: pytest.fail("prepared"))
    network, image = used(tiny_segmenter(), jitter), torch.randn(1, 3, 64, 96)
    engine = create_engine(network, image, engine="auto", calls=3)
    assert engine.name == "torch"
    assert "3 images left" in engine.note


@pytest.mark.parametrize(
    ("calls", "tried"), [(1, []), (10, ["torch", "folded"]), (1000, ["torch", "folded", "openvino"])]
)
def test_auto_weighs_what_is_left_to_do(
    calls: int, tried: list[str], jitter: Jitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []

    def build(network: nn.Module, image: Tensor, precision: str, names: list[str]) -> dict[str, object]:
        given.extend(names)
        return {"torch": create_engine(network, image, engine="torch")}

    monkeypatch.setattr("foveate.pipeline.engines.auto.build_engines", build)
    monkeypatch.setattr("foveate.pipeline.engines.auto._estimate", lambda *args: 1.0)  # second an image
    monkeypatch.setattr("foveate.pipeline.engines.auto.is_installed", lambda: True)
    create_engine(used(tiny_segmenter(), jitter), torch.randn(1, 3, 64, 96), engine="auto", calls=calls)
    assert given == tried


def test_autocast_around_an_engine_changes_nothing(jitter: Jitter) -> None:
    network, image = used(tiny_segmenter(), jitter), torch.randn(1, 3, 64, 96)
    for engine in ("torch", "folded"):
        wanted = create_engine(network, image, engine=engine)(image)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(create_engine(network, image, engine=engine)(image), wanted)


@pytest.mark.slow
def test_openvino_is_converted_inside_autocast_too(jitter: Jitter, openvino: None) -> None:
    network, image = used(tiny_segmenter(), jitter), torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        wanted = network(image)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        engine = create_engine(network, image, engine="openvino", precision="bfloat16")
        assert difference(engine(image), wanted) < 0.05


class OneSize(nn.Module):
    """A network that takes 32 x 32 only."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(32, 32)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)  # type: ignore[no-any-return]


@pytest.mark.slow
def test_openvino_converts_once_for_all_sizes(jitter: Jitter, openvino: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from foveate.pipeline.engines import openvino as module

    network = used(tiny_segmenter(), jitter)
    engine = create_engine(network, torch.randn(1, 3, 64, 96), engine="openvino")
    monkeypatch.setattr(module, "_compile", lambda *args, **named: pytest.fail("converted again"))
    for shape in ((1, 3, 64, 96), (1, 3, 45, 70), (3, 3, 33, 64)):
        image = torch.randn(shape)
        with torch.no_grad():
            assert difference(engine(image), network(image)) < 1e-5


@pytest.mark.slow
def test_openvino_converts_a_network_of_one_size_for_that(openvino: None) -> None:
    network, image = OneSize(), torch.rand(1, 3, 32, 32)
    engine = create_engine(network, image, engine="openvino")
    assert "each image size" in engine.note
    with torch.no_grad():
        assert difference(engine(image), network(image)) < 1e-5


@pytest.mark.slow
def test_a_size_that_stays_gets_a_form_of_its_own(
    jitter: Jitter, openvino: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foveate.pipeline.engines import openvino as module

    network, image = used(tiny_segmenter(), jitter), torch.randn(1, 3, 64, 96)
    shapes = create_engine(network, image, engine="openvino").run
    assert isinstance(shapes, module.CompiledShapes)
    shapes(image)
    monkeypatch.setattr(module, "STEADY", 0.0)
    assert shapes.find((1, 3, 64, 96)) is not shapes._open
    with torch.no_grad():
        assert difference(shapes(image), shapes.core(image)) < 1e-5


def test_auto_leaves_out_an_engine_that_differs(
    jitter: Jitter, monkeypatch: pytest.MonkeyPatch, unchecked: None
) -> None:
    monkeypatch.setattr("foveate.pipeline.engines.auto.TOLERANCE", {"float32": -1.0})
    network, image = used(tiny_segmenter(), jitter), torch.randn(1, 3, 32, 32)
    assert create_engine(network, image, engine="auto").name == "torch"


def test_an_unknown_engine_is_told_with_a_hint() -> None:
    with pytest.raises(ConfigError, match="did you mean 'folded'"):
        create_engine(tiny_segmenter(), torch.rand(1, 3, 32, 32), engine="folde")


def test_a_missing_runtime_is_told_with_its_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foveate.pipeline.engines.openvino.is_installed", lambda: False)
    with pytest.raises(ConfigError, match=r"pip install 'foveate\[openvino\]'"):
        create_engine(tiny_segmenter(), torch.rand(1, 3, 32, 32), engine="openvino")


REPORTS = """
import os
import torch
from foveate.pipeline.engines import create_engine

def stop():
    os._exit(9)

os.register_at_fork(before=stop)
create_engine(torch.nn.Conv2d(3, 4, 3), torch.rand(1, 3, 16, 16), engine="openvino")
"""


@pytest.mark.slow
def test_openvino_reports_to_nobody(openvino: None, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", REPORTS], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "intel").exists()


SIGNALS = """
import gc, signal, threading
import torch
from foveate.pipeline.engines import create_engine

engines = [create_engine(torch.nn.Conv2d(3, 4, 3), torch.rand(1, 3, 16, 16), engine="openvino")]
collector = threading.Thread(target=lambda: (engines.clear(), gc.collect()))
collector.start()
collector.join()
signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
signal.raise_signal(signal.SIGUSR1)
"""


@pytest.mark.slow
def test_signals_are_handled_after_another_thread_let_go_of_openvino(openvino: None) -> None:
    done = subprocess.run([sys.executable, "-c", SIGNALS], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr


def test_a_missing_compiler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ConfigError, match=r"needs a C\+\+ compiler, .*or use --engine folded"):
        create_engine(tiny_segmenter(), torch.rand(1, 3, 32, 32), engine="compile")


class Doubled(nn.Module):
    """A third party's block that offers a folded form."""

    def forward(self, x: Tensor) -> Tensor:
        return x + x

    def folded(self) -> nn.Module:
        return Twice()


class Twice(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


class Tripled(Doubled):
    """It computes something else than what its parent folds."""

    def forward(self, x: Tensor) -> Tensor:
        return 3 * x


class Faulty(Doubled):
    def folded(self) -> nn.Module:
        raise RuntimeError("no")


@pytest.mark.parametrize(("block", "kind"), [(Doubled, Twice), (Tripled, Tripled), (Faulty, Faulty)])
def test_a_block_that_offers_it_is_folded(block: type[nn.Module], kind: type[nn.Module]) -> None:
    network, image = nn.Sequential(nn.Conv2d(3, 4, 1), block()), torch.rand(1, 3, 8, 8)
    folded = fold(network, image)
    assert type(folded[1]) is kind  # type: ignore[index]
    torch.testing.assert_close(folded(image), network(image))
    assert type(network[1]) is block
