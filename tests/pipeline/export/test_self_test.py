"""The file tests itself where there is no torch and no Foveate: what was damaged or changed is found."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from foveate import check
from foveate.pipeline.export import check_model
from foveate.pipeline.export.formats.names import KEY

LIMIT = 60  # lines of the file that goes beside a model
ALONE = """
import json, sys

class Forbidden:
    def find_spec(self, name, *rest):
        if name.partition(".")[0] in ("torch", "foveate", "onnx", "jaxtyping", "lightning"):
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Forbidden())
sys.path.insert(0, sys.argv[1])
import check_model

found = {path: check_model.faults_of(path, resaved) for path, resaved in json.loads(sys.argv[2])}
assert not {"torch", "foveate", "onnx"} & set(sys.modules)
print("FOUND", json.dumps(found))
"""


def weight(model: onnx.ModelProto, name: str) -> tuple[Any, np.ndarray]:
    found = next(one for one in model.graph.initializer if name in one.name)
    return found, numpy_helper.to_array(found).copy()


def store(place: Any, value: np.ndarray) -> None:
    place.CopyFrom(numpy_helper.from_array(value, place.name))


def damage_weights(model: onnx.ModelProto) -> None:
    place, value = weight(model, "layers.0.weight")
    value.reshape(-1)[: value.size // 8] = 0
    store(place, value)


def swap_channels(model: onnx.ModelProto) -> None:
    place, value = weight(model, "layers.0.weight")
    store(place, value[:, ::-1])


def wrong_mean(model: onnx.ModelProto) -> None:
    place, value = weight(model, "mean")
    store(place, np.full_like(value, 127.5))


def other_class_order(model: onnx.ModelProto) -> None:
    for name in ("classify.weight", "classify.bias"):
        place, value = weight(model, name)
        store(place, np.roll(value, 1, axis=0))


def wrong_resize(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "Resize")
    mode = next(one for one in node.attribute if one.name == "coordinate_transformation_mode")
    mode.s = b"align_corners"


def contract_of(model: onnx.ModelProto) -> dict[str, Any]:
    return json.loads(next(entry.value for entry in model.metadata_props if entry.key == KEY))


def swap_channels_in_the_contract(model: onnx.ModelProto) -> None:
    rewrite(model, lambda contract: contract["input"].update(colours="BGR"))


def other_names_in_the_contract(model: onnx.ModelProto) -> None:
    rewrite(model, lambda contract: contract["classes"]["names"].reverse())


def rewrite(model: onnx.ModelProto, change: Callable[[dict[str, Any]], Any]) -> None:
    contract = contract_of(model)
    change(contract)
    model.metadata_props[0].value = json.dumps(contract)


PLANTED = (
    damage_weights,
    swap_channels,
    wrong_mean,
    other_class_order,
    wrong_resize,
    swap_channels_in_the_contract,
    other_names_in_the_contract,
)


@pytest.fixture(scope="module")
def found(onnx_file: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What the checking file says of each file, in a process without torch and Foveate."""
    folder = tmp_path_factory.mktemp("planted")
    for plant in (*PLANTED, lambda model: None):
        model = onnx.load(str(onnx_file.path))
        plant(model)
        onnx.save(model, str(folder / f"{plant.__name__.strip('<>')}.onnx"))
    flipped = bytearray(onnx_file.path.read_bytes())
    flipped[flipped.index(weight(onnx.load(str(onnx_file.path)), "layers.0.weight")[1].tobytes()) + 40] ^= 1
    (folder / "flipped.onnx").write_bytes(flipped)
    asked = [(str(path), path.stem != "flipped") for path in sorted(folder.iterdir())] + [(str(onnx_file.path), False)]
    beside = onnx_file.path.parent
    assert (beside / "check_model.py").is_file()
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, str(beside), json.dumps(asked)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.rpartition("FOUND ")[2])
    return {Path(path).stem: faults for path, faults in told.items()}


def test_the_file_itself_and_one_saved_again_are_right(found: dict[str, list[str]]) -> None:
    assert (found["model"], found["lambda"]) == ([], [])


@pytest.mark.parametrize("plant", PLANTED)
def test_each_planted_fault_is_found_by_the_answers(found: dict[str, list[str]], plant: Callable[..., None]) -> None:
    faults = found[plant.__name__]
    assert faults
    in_contract = plant.__name__.endswith("the_contract")
    assert all(("contract" in fault) == in_contract for fault in faults), faults


def test_a_single_damaged_byte_is_found(found: dict[str, list[str]]) -> None:
    assert any("bytes are not those exported" in fault for fault in found["flipped"])


def test_the_checking_file_is_short_and_imports_numpy_alone() -> None:
    source = Path(check_model.__file__).read_text()
    assert len(source.splitlines()) <= LIMIT
    assert "foveate." not in source.replace("foveate.json", "")


def test_the_module_says_the_same(written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main([str(written)]) == 0
    assert "gives the model's answers" in capsys.readouterr().out
    model = onnx.load(str(written))
    wrong_mean(model)
    onnx.save(model, str(tmp_path / "changed.onnx"))
    assert check.main([str(tmp_path / "changed.onnx")]) == 1
    assert "WRONG its bytes are not those exported" in capsys.readouterr().out
    assert check.main([str(tmp_path / "none.onnx")]) == 1
    assert "does not run here" in capsys.readouterr().out
