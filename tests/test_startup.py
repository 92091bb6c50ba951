"""What starting costs, in imported modules: those can be counted, seconds cannot."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    *("torch", "torchvision", "torchmetrics", "lightning", "timm", "segmentation_models_pytorch", "albumentations"),
    *("wandb", "sklearn", "litdata", "transformers", "openvino", "matplotlib", "numpy", "scipy", "cv2", "PIL"),
}
UNUSED = {  # by a training of SegNeXt
    *("timm", "segmentation_models_pytorch", "albumentations", "wandb", "sklearn", "litdata", "transformers"),
    *("openvino", "onnx", "scipy.signal", "scipy.stats"),
}

MORE = 4 if sys.version_info >= (3, 13) else 0  # modules of the standard library that these versions import besides


def imported_by(code: str) -> set[str]:
    """Names of the modules that a fresh process has at the end."""
    code = f"import sys\n{code}\nprint('MODULES', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.rsplit("MODULES", 1)[1].split())


@pytest.mark.parametrize(
    ("command", "budget"),
    [
        ("--help", 120),
        ("--version", 200),
        ("fit --help", 120),
        ("predict --help", 120),
        ("recipes list", 400),
        ("models list", 400),
        ("plugins list", 450),
        ("plugins --help", 400),
        ("compare --help", 400),
        ("compare-runs --help", 400),
        ("bench --help", 400),
        ("distil --help", 400),
        ("leaderboard --help", 400),
        ("leaderboard check --help", 400),
        ("tune --help", 400),
        ("demo --help", 400),
        ("serve --help", 400),
        ("data --help", 400),
        ("score --help", 400),
        ("submit --help", 400),
        ("export --help", 400),
        ("data make --help", 400),
        ("data doubt --help", 400),
        ("weights --help", 400),
        ("weights list", 400),
        ("recipes from-mmseg --help", 400),
        ("explain --help", 400),
        ("push --help", 400),
        ("pull --help", 400),
        ("config --help", 400),
        ("options --help", 400),
        ("doctor --help", 400),
        ("completion --help", 400),
    ],
)
def test_what_only_tells_something_imports_little(command: str, budget: int) -> None:
    modules = imported_by(f"from foveate.cli import main; main({command.split()!r})")
    assert not modules & HEAVY
    assert len(modules) <= budget + MORE


def test_a_training_imports_only_what_it_uses() -> None:
    modules = imported_by(
        "from foveate.cli import _import_named; _import_named(); import foveate.pipeline.training.command"
    )
    assert {"torch", "lightning", "foveate.pipeline.segmentation"} <= modules
    assert not modules & UNUSED


def test_scipy_signal_is_itself_for_whoever_asks_later() -> None:
    code = (
        "from foveate.pipeline.startup import import_torchmetrics; import_torchmetrics()\n"
        "assert 'scipy.signal' not in sys.modules\n"
        "import scipy.signal; assert scipy.signal.convolve([1, 2], [1, 1]).tolist() == [1, 3, 2]"
    )
    assert {"torchmetrics", "scipy.signal"} <= imported_by(code)


def test_the_package_gives_the_predictor_and_imports_it_when_it_is_asked_for() -> None:
    assert not imported_by("import foveate") & HEAVY
    modules = imported_by("import foveate; assert foveate.load == foveate.Predictor.load; foveate.Segmentation")
    assert {"torch", "foveate.pipeline.predictor"} <= modules


def test_another_name_of_the_package_is_unknown() -> None:
    import foveate

    with pytest.raises(AttributeError, match="has no attribute 'predict'"):
        foveate.predict  # noqa: B018
    assert {"Predictor", "load"} <= set(dir(foveate))
