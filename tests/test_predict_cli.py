"""`foveate predict`: which images, which files, going on, and the summary for programs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.cli import main
from foveate.datasets.labels import CAMVID
from foveate.pipeline.predictor import Predictor
from foveate.tests.pipeline.predictor.models import classifier, photo, segmenter

ALL = "labels,palette,overlay,confidence,probabilities,polygons,geojson,shares"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checkpoints, and photos of two sizes in two folders."""
    root = tmp_path_factory.mktemp("predict")
    segmenter(root / "seg.ckpt")
    classifier(root / "cls.ckpt")
    for number, (name, size) in enumerate({"a": (40, 50), "deep/b": (40, 50), "deep/c": (33, 61)}.items()):
        path = root / "photos" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo(size, number)).save(path)
    return root


@pytest.fixture
def here(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with links to all that."""
    monkeypatch.chdir(tmp_path)
    for entry in folder.iterdir():
        (tmp_path / entry.name).symlink_to(entry)
    return tmp_path


def predict(*words: str, model: str = "seg.ckpt") -> int:
    return main(["predict", "--ckpt_path", model, "--data.num_workers=0", "--out", "out", *words])


def written(folder: str = "out") -> set[str]:
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


def test_every_output_is_written_and_tells_the_same(here: Path) -> None:
    assert predict("--data.images", "photos", "--outputs", ALL) == 0
    names = {"labels": "png", "palette": "png", "overlays": "png", "confidence": "png", "probabilities": "npz"}
    kinds = {**names, "polygons": "json", "geojson": "geojson"}
    files = {f"{kind}/{stem}.{ending}" for kind, ending in kinds.items() for stem in ("a", "deep/b", "deep/c")}
    assert written() == {*files, "shares.csv"}
    result = Predictor.load("seg.ckpt", engine="torch")("photos/deep/c.png", probabilities=True)
    assert np.array_equal(np.asarray(Image.open("out/labels/deep/c.png")), result.labels)
    palette = Image.open("out/palette/deep/c.png")
    assert np.array_equal(np.asarray(palette), result.labels)
    assert np.array_equal(np.asarray(palette.convert("RGB")), CAMVID.palette()[result.labels])
    assert np.array_equal(np.asarray(Image.open("out/confidence/deep/c.png")), np.rint(result.confidence * 255))
    stored = np.load("out/probabilities/deep/c.npz")
    assert (stored["probabilities"].dtype, stored["classes"].tolist()) == (np.float16, list(CAMVID.names))
    np.testing.assert_allclose(stored["probabilities"], result.probabilities, atol=1e-3)
    coco = json.loads(Path("out/polygons/deep/c.json").read_text())
    assert [{**one, "image_id": 1} for one in result.polygons()] == coco["annotations"]
    assert coco["images"][0] | {"file_name": ""} == {"id": 1, "file_name": "", "height": 33, "width": 61}
    assert json.loads(Path("out/geojson/deep/c.geojson").read_text())["features"] == result.polygons("geojson")
    rows = list(csv.DictReader(Path("out/shares.csv").read_text().splitlines()))
    assert [row.pop("path") for row in rows] == ["a.png", "deep/b.png", "deep/c.png"]
    assert {name: float(share) for name, share in rows[2].items()} == pytest.approx(result.shares(), abs=1e-6)


def test_the_default_is_label_maps_and_overlays(here: Path) -> None:
    assert predict("--data.images", "photos/a.png") == 0
    assert written() == {"labels/a.png", "overlays/a.png"}


def test_probabilities_of_chosen_classes(here: Path) -> None:
    assert predict("--data.images", "photos/a.png", "--outputs", "probabilities", "--classes", "car,sky") == 0
    assert written() == {"probabilities/a.npz"}
    stored = np.load("out/probabilities/a.npz")
    every = Predictor.load("seg.ckpt", engine="torch")("photos/a.png", probabilities=True).probabilities
    assert stored["classes"].tolist() == ["car", "sky"]
    np.testing.assert_allclose(stored["probabilities"], every[[8, 0]], atol=1e-3)


@pytest.mark.parametrize("source", ["photos/**/*.png", "list.txt", "-"])
def test_images_by_pattern_list_and_standard_input(here: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "photos/a.png\n\nphotos/deep/b.png\nphotos/deep/c.png\nphotos/a.png\n"
    Path("list.txt").write_text(lines)
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    assert predict("--data.images", source, "--outputs", "labels") == 0
    assert written() == {"labels/a.png", "labels/deep/b.png", "labels/deep/c.png"}


def test_what_cannot_be_read_is_listed_and_the_rest_is_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("half.png").write_bytes(Path("photos/a.png").read_bytes()[:200])
    Path("list.txt").write_text("half.png\nphotos/a.png\ngone.png\n")
    assert predict("--data.images", "list.txt", "--outputs", "labels", "--json") == 3
    out, error = capsys.readouterr()
    summary = json.loads(out)
    assert summary["images"], summary["written"] == (3, 1)
    assert [fault.partition(":")[0] for fault in summary["faults"]] == ["half.png", "gone.png"]
    assert written() == {"labels/photos/a.png", "faults.txt"}
    assert "2 images could not be read, the others are written: half.png" in error.splitlines()[-1]


def test_the_summary_is_the_only_thing_on_standard_output(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict("--data.images", "photos", "--outputs", "labels,shares", "--json") == 0
    out, error = capsys.readouterr()
    assert json.loads(out) == {
        "schema": 1,
        "kind": "segmentation",
        "out": "out",
        "outputs": ["labels", "shares"],
        "classes": list(CAMVID.names),
        "images": 3,
        "written": 3,
        "written_before": 0,
        "faults": [],
    }
    assert "checkpoint seg.ckpt: step 1" in error


def test_a_second_run_goes_on(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--outputs", "labels,overlay,shares", "--resume")
    assert predict("--data.images", "photos/deep", *words, "--out", "out/deep") == 0
    assert predict("--data.images", "photos", *words) == 0
    Path("out/overlays/a.png").unlink()
    table = Path("out/shares.csv").read_text()
    Path("out/.shares.csv.0").write_text(table.partition("\n")[2])  # as an interruption leaves it: no table, a part
    Path("out/shares.csv").unlink()
    untouched = Path("out/labels/deep/b.png").stat().st_mtime_ns
    capsys.readouterr()
    assert predict("--data.images", "photos", *words, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["written"], summary["written_before"]) == (1, 2)
    assert Path("out/labels/deep/b.png").stat().st_mtime_ns == untouched
    assert Path("out/shares.csv").read_text() == table
    assert Path("out/overlays/a.png").is_file()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--data.images", "photos", "--outputs", "lables"], 2, "no output 'lables'; did you mean 'labels'?"),
        (["--data.images", "photos", "--outputs", ""], 2, "accepted: labels, palette"),
        (["--data.images", "photos", "--classes", "car"], 2, "--classes chooses classes of --outputs probabilities"),
        (["--data.images", "photos", "--outputs", "probabilities", "--classes", "cra"], 2, "no class 'cra'"),
        (["--data.images", "nothing/*.png"], 3, "nothing/*.png: no images"),
        (["--data.images", "empty.txt"], 3, "empty.txt: no images"),
    ],
)
def test_a_mistake_is_told(
    here: Path, words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty.txt").write_text("\n")
    assert predict(*words) == code
    assert said in capsys.readouterr().err


def test_a_classifier_writes_a_table_and_takes_no_outputs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict("--data.images", "photos", "--json", model="cls.ckpt") == 0
    assert json.loads(capsys.readouterr().out)["outputs"] == ["predictions.csv"]
    rows = list(csv.DictReader(Path("out/predictions.csv").read_text().splitlines()))
    result = Predictor.load("cls.ckpt", engine="torch")("photos/deep/c.png")
    assert (rows[2]["path"], rows[2]["class"]) == ("deep/c.png", result.label)
    assert float(rows[2]["probability"]) == pytest.approx(result.top(1)[0][1], abs=1e-6)
    assert predict("--data.images", "photos", "--outputs", "labels", model="cls.ckpt") == 2
    assert "a classifier writes predictions.csv" in capsys.readouterr().err
