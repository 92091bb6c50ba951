"""docs/cluster.md: its files are read as SLURM, Kubernetes and W&B would, and our parser accepts the commands."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from foveate.cli import _import_named
from foveate.pipeline.training.parsing import parse_only
from foveate.pipeline.training.request import understand
from foveate.pipeline.tuning.space import probes, read_space
from foveate.tests.faults.cluster import options_of

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = (DOCS / "cluster.md").read_text()
SCRIPTS = sorted((DOCS / "slurm").glob("*.sbatch"))


@pytest.fixture(autouse=True, scope="module")
def classes_are_known() -> None:
    _import_named()


def accepted(words: list[str], root: Path) -> Any:
    """The settings of a command line, on data that is here."""
    _, config, *flags = words if words[1].startswith("--config=") else ["fit", f"--config={words[2]}", *words[3:]]
    flags = [flag for flag in (config, *flags) if not flag.startswith(("--data.root", "--ckpt_path"))]
    return parse_only(understand("fit", [*flags, f"--data.root={root}"]))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_of_slurm_asks_for_what_its_processes_need(script: Path) -> None:
    options, text = options_of(script), script.read_text()
    assert {"job-name", "nodes", "ntasks-per-node", "gpus-per-node", "time", "output"} <= options.keys()
    assert re.fullmatch(r"\d\d:\d\d:\d\d", options["time"])
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
    assert "--ckpt_path auto" in text
    agents = "torchrun" in text
    assert options["ntasks-per-node"] == ("1" if agents else options["gpus-per-node"])
    if not agents:
        assert options["signal"].startswith("USR1@")
        assert "requeue" in options
    assert f"slurm/{script.name}" in PAGE


def test_the_pods_of_kubernetes_run_a_command_that_is_accepted(cityscapes_root: Path) -> None:
    job = yaml.safe_load((DOCS / "kubernetes" / "pytorchjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v1", "PyTorchJob")
    replicas = job["spec"]["pytorchReplicaSpecs"]
    assert replicas["Master"]["replicas"] == 1
    for replica in replicas.values():
        pod = replica["template"]["spec"]
        (container,) = pod["containers"]
        assert container["name"] == "pytorch"  # the operator looks for this name
        assert str(container["resources"]["limits"]["nvidia.com/gpu"]) == job["spec"]["nprocPerNode"]
        assert {volume["name"] for volume in pod["volumes"]} == {one["name"] for one in container["volumeMounts"]}
        assert container["command"][:3] == ["torchrun", "-m", "foveate.cli"]
        settings = accepted(container["command"][3:], cityscapes_root)
        assert settings.trainer.default_root_dir == "/runs"


def test_a_sweep_of_wandb_gives_flags_that_are_accepted(camvid_root: Path) -> None:
    sweep = yaml.safe_load((DOCS / "sweeps" / "wandb.yaml").read_text())
    assert sweep["metric"] == {"name": "val/miou", "goal": "maximize"}
    assert sweep["command"][-1] == "${args}"
    firsts = {key: first(given) for key, given in sweep["parameters"].items()}
    settings = accepted([*sweep["command"][1:-1], *(f"--{key}={value}" for key, value in firsts.items())], camvid_root)
    assert settings.model.init_args.optimizer.lr == 1e-5
    assert settings.model.init_args.attention == {"gate": "msca"}


def first(given: dict[str, Any]) -> Any:
    return given["value"] if "value" in given else given["values"][0] if "values" in given else given["min"]


def test_the_space_of_the_page_fits_its_recipe(camvid_root: Path) -> None:
    dimensions = read_space(DOCS / "sweeps" / "space.yaml")
    for probe in probes(dimensions):
        accepted(["fit", "--config=camvid_segnext_t", *probe], camvid_root)


def test_the_space_in_the_text_is_one(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "space.yaml").write_text(block)
    assert len(read_space(tmp_path / "space.yaml")) == 3


def test_the_script_for_ray_is_python_that_names_known_options() -> None:
    (script,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    tree = ast.parse(script)
    keys = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert "val/miou" in keys
    assert "model.optimizer.lr" in keys


def test_links_of_the_page_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert target.startswith("https://") or (DOCS / target).is_file(), target
