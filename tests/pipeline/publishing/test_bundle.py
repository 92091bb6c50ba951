"""A model goes to a folder and comes back, with a card that tells what is known of it and nothing else."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from foveate.cli import main
from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.hub import from_pretrained, model_of
from foveate.pipeline.publishing import fetch
from foveate.pipeline.publishing.card import write_card
from foveate.pipeline.publishing.facts import gather
from foveate.pipeline.runs.manifest import hash_of
from foveate.plugins.errors import PluginError
from foveate.tests.pipeline.publishing.conftest import CANARIES

TRIPLET = {"distribution": "foveate-triplet", "version": "9.1", "entry_point": "triplet = foveate_triplet"}


@pytest.fixture(scope="module")
def pushed(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published") / "camvid-small"
    assert main(["push", str(run), str(folder), "--licence", "Apache-2.0"]) == 0
    return folder


@pytest.fixture
def copied(pushed: Path, tmp_path: Path) -> Path:
    fetch(str(pushed), tmp_path / "copy")
    return tmp_path / "copy"


def configure(folder: Path, **changes: object) -> None:
    file = folder / "config.json"
    content = json.loads(file.read_text())
    content["foveate"] |= changes.pop("foveate", {})
    file.write_text(json.dumps({**content, **changes}))


def test_the_pulled_model_gives_the_same_logits_bit_for_bit(run: Path, copied: Path) -> None:
    image = torch.randint(0, 256, (1, 3, 40, 56), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(from_pretrained(copied)(image), model_of(run / "checkpoints/best.ckpt")(image))


def test_every_file_is_there_and_hashed(pushed: Path) -> None:
    assert {file.name for file in pushed.iterdir()} == {"config.json", "model.safetensors", "recipe.yaml", "README.md"}
    assert len({file.stat().st_mode for file in pushed.iterdir()}) == 1  # whoever may read one may read all
    told = json.loads((pushed / "config.json").read_text())["foveate"]
    assert (told["licence"], told["step"]) == ("apache-2.0", 1)
    assert told["files"]["model.safetensors"]["sha256"] == hash_of(pushed / "model.safetensors")


def test_nothing_tells_secrets_or_where_files_lie(run: Path, pushed: Path) -> None:
    for file in pushed.iterdir():
        content = file.read_bytes()
        for name, canary in {**CANARIES, "user": "jane.canary", "here": str(run.parents[1])}.items():
            assert canary.encode() not in content, (file.name, name)


def test_the_recipe_holds_what_decides_the_training(pushed: Path) -> None:
    recipe = yaml.safe_load((pushed / "recipe.yaml").read_text())
    assert recipe["trainer"] == {"max_steps": 40}
    assert recipe["data"]["init_args"] == {"root": "camvid", "crop": [32, 48], "batch_size": 2}
    assert recipe["model"]["init_args"]["loss"] == {"name": "ohem", "options": {}}


def test_the_card_tells_scores_with_intervals_agreement_and_use(pushed: Path) -> None:
    text = (pushed / "README.md").read_text()
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["license"] == "apache-2.0"
    assert front["pipeline_tag"] == "image-segmentation"
    (test, val) = front["model-index"][0]["results"]
    assert (test["dataset"]["split"], test["metrics"][0]["value"]) == ("test", 0.5432)
    assert val["metrics"][0] == {"type": "mean_iou", "value": 0.6121, "name": "mean IoU"}
    assert "| mean IoU | 61.2 | [58.0, 64.0] |" in text
    assert "| sky | 90.0 [88.0, 92.0] | 95.0 |" in text
    assert "| model.onnx | fp32 | 64x96 | 8 | 99.987 | yes |" in text
    assert "- loss: ohem\n" in text
    assert "- started from: mobilenet.pth\n" in text
    assert 'foveate.load("./camvid-small")' in text


def test_the_code_of_the_card_runs(pushed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    code = re.search(r"```python\n(.*?)```", (pushed / "README.md").read_text(), re.DOTALL)
    assert code is not None
    fetch(str(pushed), tmp_path / "camvid-small")
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (48, 32), (10, 200, 30)).save("photo.jpg")
    exec(compile(code[1], "card", "exec"), {})
    assert Path("overlay.png").is_file()


def test_a_bare_checkpoint_has_a_card_without_scores(run: Path, tmp_path: Path) -> None:
    bare = tmp_path / "model.ckpt"
    bare.write_bytes((run / "checkpoints/best.ckpt").read_bytes())
    text = write_card(gather(bare), "jane/model", None)
    assert "No scores lie beside the checkpoint." in text
    assert "license:" not in text
    assert "Not stated" in text


def test_the_card_tells_which_plugins_to_install_and_which_to_ask_for(run: Path) -> None:
    mine = {"distribution": "my_gate", "version": "", "entry_point": "--plugins my_gate.py"}
    facts = dataclasses.replace(gather(run), providers={"triplet9": TRIPLET, "gate": mine})
    text = write_card(facts, "jane/model", "mit")
    assert "    pip install foveate foveate-triplet\n" in text
    assert "| triplet9 | foveate-triplet | 9.1 |" in text
    assert "| gate | my_gate | --plugins my_gate.py |" in text


def test_scores_of_other_weights_are_not_told(run: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(run, tmp_path / "0002")
    file = tmp_path / "0002/val-best.json"
    file.write_text(file.read_text().replace('"step": 1,', '"step": 2,'))
    assert [one.split for one, _ in gather(tmp_path / "0002").scores] == ["test"]


def test_pushing_again_replaces_the_model(run: Path, copied: Path) -> None:
    (copied / "README.md").write_text("old")
    assert main(["push", str(run / "checkpoints/best.ckpt"), str(copied)]) == 0
    assert "mean IoU" in (copied / "README.md").read_text()
    assert fetch(str(copied), copied)["foveate"]["licence"] is None


def test_a_changed_tensor_is_found_by_its_hash(pushed: Path, tmp_path: Path) -> None:
    fetch(str(pushed), tmp_path / "copy")
    state = load_file(tmp_path / "copy/model.safetensors")
    state["network.decoder.conv_seg.bias"][0] += 1
    save_file(state, tmp_path / "copy/model.safetensors")
    with pytest.raises(CheckpointError, match="not what was published"):
        fetch(str(tmp_path / "copy"), tmp_path / "again")


@pytest.mark.parametrize("cut", [0, 1000])
def test_a_cut_file_is_found(copied: Path, cut: int, capsys: pytest.CaptureFixture[str]) -> None:
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:cut])
    assert main(["pull", str(copied), str(copied)]) == 4
    assert "damaged: not what was published (SHA-256 differs); pull again" in capsys.readouterr().err


def test_a_listed_file_outside_the_folder_is_refused(copied: Path) -> None:
    configure(copied, foveate={"files": {"../../x": {"sha256": "0", "size": 1}}})
    with pytest.raises(CheckpointError, match=r"lists '../../x', which is no file beside it: refused"):
        fetch(str(copied), copied)


def test_a_missing_plugin_is_named_by_pull_and_by_loading(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(copied, foveate={"plugins": {"triplet9": TRIPLET}}, attention={"stage": "triplet9"})
    assert main(["pull", str(copied), str(copied)]) == 5
    wanted = "'triplet9' of foveate-triplet 9.1, which is not installed; try: pip install foveate-triplet==9.1"
    assert wanted in capsys.readouterr().err
    with pytest.raises(PluginError, match=r"pip install foveate-triplet==9\.1"):
        from_pretrained(copied)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["push", "{run}", "models"], 2, "'models' is no repository (owner/name); write a folder as ./models"),
        (["push", "{run}", "./m", "--private"], 2, "--private and --message are for a repository"),
        (["push", "{run}", "./m", "--licence", "my own, sorry"], 2, "not an identifier"),
        (["push", "{run}/recipe.yaml", "./m"], 4, "it is no plain checkpoint"),
        (["push", "{run}", "{run}/recipe.yaml"], 2, "is a file; give a folder"),
        (["pull", "./nothing"], 4, "no published model"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str],
    code: int,
    message: str,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([word.replace("{run}", str(run)) for word in words]) == code
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_a_folder_of_something_else_is_not_overwritten(run: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    assert main(["push", str(run), str(tmp_path)]) == 2
    assert json.loads((tmp_path / "config.json").read_text()) == {"model_type": "bert"}
