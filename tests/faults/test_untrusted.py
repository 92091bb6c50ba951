"""Rows 69 to 76 of the faults: files, names and images from anywhere run no code, leave no folder, fill no memory."""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from collections.abc import Callable, Iterator
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from foveate.cli import main
from foveate.datasets.class_file import read_class_table
from foveate.datasets.errors import DataError
from foveate.datasets.files.decoding import MAX_PIXELS
from foveate.datasets.files.image_reader import ImageReader
from foveate.datasets.files.names import safe_name, safe_path
from foveate.datasets.label_map import read_label_map
from foveate.datasets.labels import CAMVID
from foveate.pipeline.callbacks.drawing import save_picture
from foveate.pipeline.callbacks.prediction_files import PredictionFiles
from foveate.pipeline.callbacks.predictions import PredictionWriter
from foveate.pipeline.errors import CheckpointError, ConfigError
from foveate.pipeline.files import LONGEST, fitting, write_text
from foveate.pipeline.hub import model_of
from foveate.pipeline.outputs import DEFAULT
from foveate.pipeline.runs.checkpoints import read_checkpoint
from foveate.pipeline.runs.directories import choose_run
from foveate.pipeline.runs.output_names import check_output_names, leads_outside
from foveate.pipeline.runs.recipes import load_yaml, read_recipe
from foveate.pipeline.weights import read_state_dict
from foveate.plugins.errors import PluginError

DIGITS = ["fit", "--config", "digits_vit_ti", "--trainer.accelerator", "cpu", "--trainer.fast_dev_run", "1"]
FORCED = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"  # makes torch.load run code where weights_only is not said


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = str(marker)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (self.marker,)


@pytest.fixture(autouse=True)
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that no test may find: whoever makes it ran code from a file."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "ran"
    assert not (tmp_path / "ran").exists()


# --- pickles and hyper-parameters


@pytest.mark.parametrize("forced", ["0", "1"])
@pytest.mark.parametrize("place", ["checkpoint", "weights", "weights before 1.6", "bare pickle"])
def test_a_malicious_pickle_is_refused_with_4_and_not_run(
    place: str, forced: str, marker: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(FORCED, forced)
    content = {"state_dict": {"a": torch.ones(1)}, "hyper_parameters": {}, "beside": Trap(marker)}
    if place == "bare pickle":
        Path("a.ckpt").write_bytes(pickle.dumps(content))
    else:
        torch.save(content, "a.ckpt", _use_new_zipfile_serialization=place != "weights before 1.6")
    words = ["--ckpt_path", "a.ckpt"] if place == "checkpoint" else ["--model.weights", "a.ckpt"]
    assert main([*DIGITS, *words]) == 4
    assert "refused" in capsys.readouterr().err


@pytest.mark.parametrize(
    "hyper_parameters",
    [
        {"_instantiator": "os.mkdir", "path": "ran"},
        {"_class_path": "evil_module.Thing", "network": "vit_ti"},
        {"network": {"class_path": "os.mkdir", "init_args": {"path": "ran"}}},
        {"network": "os.system", "optimizer": {"class_path": "evil_module.Thing"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("reader", [read_checkpoint, read_state_dict])
def test_hyper_parameters_that_name_code_are_plain_values(
    reader: Callable[[Path], object], hyper_parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(".")
    Path("evil_module.py").write_text("import os\nos.mkdir('ran')\nclass Thing: ...\n")
    torch.save({"state_dict": {"a": torch.ones(1)}, "hyper_parameters": hyper_parameters}, "a.ckpt")
    reader(Path("a.ckpt"))
    with pytest.raises((ConfigError, CheckpointError, PluginError)):
        model_of("a.ckpt")


def test_every_read_of_a_pickle_says_that_it_takes_weights_only(root: Path) -> None:
    found = {
        f"{path.relative_to(root)}: {call}"
        for folder in ("pipeline", "datasets", "plugins", "cli.py")
        for path in ([root / folder] if folder.endswith(".py") else (root / folder).rglob("*.py"))
        for call in re.findall(r"(?:torch\.load|load_from_checkpoint)\([^)]*\)", path.read_text())
    }
    assert found
    assert {call for call in found if "weights_only=True" not in call} == set()
    everything = "".join(path.read_text() for path in (root / "pipeline").rglob("*.py"))
    assert "weights_only=False" not in everything
    assert "pickle.load" not in everything


# --- YAML

TAGS = ["!!python/object/apply:os.mkdir [ran]", "!!python/name:os.system", "!!python/module:os"]
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
READERS: dict[str, Callable[[Path], object]] = {
    "recipe": read_recipe,
    "classes": read_class_table,
    "label map": lambda path: read_label_map(str(path)),
}


def refused(reader: Callable[[Path], object], text: str) -> str:
    """What is said about a file."""
    path = Path("given.yaml")
    path.write_text(text)
    with pytest.raises((ConfigError, DataError)) as caught:
        reader(path)
    assert "given.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_that_names_code_is_refused(tag: str, reader: Callable[[Path], object]) -> None:
    refused(reader, f"classes: {tag}\n")


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_aliases_that_stand_for_billions_are_refused_at_once(reader: Callable[[Path], object]) -> None:
    assert "its aliases stand for too many values" in refused(reader, LAUGHS)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("classes: [a]\nrest: b\nclasses: [b]\n", "key 'classes' is given twice, first in line 1"),
        ("classes:\n  a: [b]\n  c: [d]\n  'a': [e]\n", "key 'a' is given twice, first in line 2"),
        ("{classes: 1, classes: 1}", "key 'classes' is given twice"),
        ("classes: &a [*a]\n", "an alias refers to what it is in"),
        ("classes: " + "[" * 5000, "nested too deeply"),
        ("classes: 2001-99-99", "a value cannot be read"),
        (f"classes: {'9' * 5000}", "a value cannot be read"),
    ],
)
def test_yaml_that_loses_or_traps_is_refused(text: str, reason: str, reader: Callable[[Path], object]) -> None:
    assert reason in refused(reader, text)


def test_merged_keys_may_be_given_again_and_few_aliases_are_no_bomb() -> None:
    text = "x: &x {k: 0, l: 9}\no: {a: &a {<<: *x, k: 1}}\nb: {<<: *a, k: 2}\nc: [*x, *x, *a]\n"
    Path("a.yaml").write_text(text)
    assert load_yaml(Path("a.yaml"))["b"] == {"k": 2, "l": 9}


def test_yaml_is_read_in_one_place_only(root: Path) -> None:
    for folder in ("pipeline", "datasets", "plugins"):
        for path in (root / folder).rglob("*.py"):
            if path.name != "strict_yaml.py":
                assert not re.search(r"yaml\.(safe_|full_|unsafe_)?load(_all)?\(", path.read_text()), path


# --- class paths


@pytest.mark.parametrize(
    "path", ["evil_module.Thing", "os.system", "foveate.evil.Thing", "lightning.pytorch.os.system"]
)
def test_a_class_path_from_elsewhere_is_refused_before_its_module_runs(
    path: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(".")
    Path("evil_module.py").write_text("import os\nos.mkdir('ran')\nclass Thing: ...\n")
    Path("recipe.yaml").write_text(f"model: {{class_path: {path}}}\ndata: {{class_path: DigitsDataModule}}\n")
    assert main(["fit", "--config", "recipe.yaml", "--trainer.fast_dev_run", "1"]) == 2
    assert main([*DIGITS, f"--trainer.callbacks={path}"]) == 2
    assert "Traceback" not in capsys.readouterr().err


# --- names


@pytest.mark.parametrize("name", ["../x", "/abs", "a/../../b", "a\0b", "..", ".", "", "CON", "nul.txt", "a" * 129, "é"])
def test_a_run_is_not_named_so(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a run's name is 1 to 128"):
        choose_run(tmp_path / "runs", name)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["../x", "/abs", "a/../../b", "a\0b", "a\\..\\..\\b", "C:\\x", "\\\\host\\share"])
def test_a_name_that_leads_outside_is_refused_where_files_are_read_and_written(name: str) -> None:
    with pytest.raises(DataError, match="no plain file name"):
        safe_path(name, "index.json")
    with pytest.raises(DataError, match="no plain file name"):
        safe_name(name, "index.json")
    assert leads_outside(name)

    class Log:
        _name = name

    with pytest.raises(ConfigError, match=r"Log: name .* is refused"):
        check_output_names([Log()])


@pytest.mark.parametrize(
    "flags",
    [
        ["--trainer.callbacks=[{class_path: ModelCheckpoint, init_args: {filename: ../../x}}]"],
        ["--trainer.logger=[{class_path: CSVLogger, init_args: {save_dir: ., name: ../../x}}]"],
        ["--trainer.logger=wandb", "--trainer.logger.id=../../x", "--trainer.logger.offline=true"],
    ],
    ids=["checkpoint", "csv", "wandb"],
)
def test_a_logger_or_checkpoint_does_not_write_outside_of_its_folder(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "er")
    words = [*DIGITS[:-2], "--trainer.max_steps=1", "--data.num_workers=0", "--trainer.limit_val_batches=1"]
    assert main([*words, *flags]) == 2
    assert "is refused, since it leads out of the run's directory" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["er"]


def test_long_names_fit_and_stay_different() -> None:
    long = "ü" * 126 + "a.jpg.png", "ü" * 126 + "b.jpg.png"
    assert all(len(os.fsencode(fitting(name))) <= LONGEST for name in long)
    assert fitting(long[0]) != fitting(long[1])
    assert fitting(long[0]).endswith(".png")
    write_text(Path("x" * 255), "whole")  # a draft's name is longer
    picture = save_picture(Image.new("RGB", (4, 4)), Path("x" * 253))
    assert picture.is_file()


def test_the_files_for_an_image_with_a_name_of_253_bytes_get_a_shorter_one() -> None:
    first, second = (Path("in", "x" * 249 + ending) for ending in (".jpg", ".png"))
    files = PredictionFiles(out=Path("out"), outputs=DEFAULT, labels=CAMVID)
    writer = PredictionWriter(files, Path("in"), [first, second])
    names = [writer.name_for(path).name for path in (first, second)]
    assert len(set(names)) == 2
    assert max(map(len, names)) <= LONGEST
    assert "2 names were shortened, since a name has at most 255 bytes: xxx" in writer.written
    alone = PredictionWriter(files, Path("in"), [first])
    assert (alone.name_for(first).name, alone.shortened) == ("x" * 249 + ".png", {})


# --- archives, supply chain


@pytest.mark.parametrize("name", ["data.zip", "data.tar", "data.tar.gz"])
def test_an_archive_is_refused_as_data_and_never_unpacked(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with zipfile.ZipFile(name, "w") as archive:
        archive.writestr("../ran", "outside")
    assert main(["data", "check", name]) != 0
    assert main(["predict", "--config", "digits_vit_ti", "--model.weights", name, "--data.images", name]) != 0
    assert sorted(path.name for path in Path.cwd().iterdir()) == [name]
    assert "Traceback" not in capsys.readouterr().err


def test_no_code_unpacks_archives_to_files(root: Path) -> None:
    for folder in ("pipeline", "datasets", "plugins"):
        for path in (root / folder).rglob("*.py"):
            found = re.search(r"extractall\(|unpack_archive|archive\.extract\(", path.read_text())
            assert not found, f"{path}: {found}"


def test_the_versions_of_lightning_that_stole_credentials_are_excluded() -> None:
    from packaging.requirements import Requirement

    (wanted,) = [one for one in map(Requirement, requires("foveate") or []) if one.name == "lightning"]
    assert not any(wanted.specifier.contains(version) for version in ("2.6.2", "2.6.3"))


def test_weights_from_a_hub_are_read_as_files_are(marker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from foveate.pipeline.weights import sources

    torch.save({"beside": Trap(marker)}, "pytorch_model.bin")
    monkeypatch.setenv(FORCED, "1")
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *words, **options: "pytorch_model.bin")
    monkeypatch.setattr(sources, "download", lambda url: Path("pytorch_model.bin"))
    for source in ("hf://owner/repository/pytorch_model.bin", "https://example.org/pytorch_model.bin"):
        with pytest.raises(CheckpointError, match="refused"):
            sources.open_source(source)


# --- images that fill the memory


def test_the_pixels_of_a_bomb_are_not_decoded() -> None:
    for side, reason in ((40_000, "bomb|max_pixels"), (9_000, "max_pixels")):
        Image.new("1", (side, side)).save("bomb.png")
        assert Path("bomb.png").stat().st_size < 1_000_000
        assert side**2 > MAX_PIXELS
        with pytest.raises(DataError, match=reason):
            ImageReader().read(Path("bomb.png"))
