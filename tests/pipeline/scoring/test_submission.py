"""What Cityscapes' server would refuse is found before: names, sizes, kinds of images, ids."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.cli import main
from foveate.datasets.errors import DataError
from foveate.pipeline.scoring.faults import FilesError
from foveate.pipeline.scoring.submission import TEST_FRAMES, Expected, check_submission, frame_of, write_zip

SIZE = (8, 16)
NAMES = [f"bonn_{number:06d}_000019" for number in range(3)]


def png(pixels: np.ndarray, mode: str | None = None) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(file, format="PNG")
    return file.getvalue()


GOOD = png(np.array([7, 33], np.uint8).repeat(64).reshape(SIZE))


def archive(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name, data in files.items():
            made.writestr(name, data)
    return path


def faults_of(path: Path, expected: Expected) -> list[str]:
    with pytest.raises(FilesError) as caught:
        check_submission(path, expected)
    return list(caught.value.lines)


def test_a_good_one_is_counted(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {f"results/{name}_x.png": GOOD for name in NAMES})
    assert check_submission(path, Expected(count=3, size=SIZE)) == 3
    assert check_submission(path, Expected(count=3, size=SIZE, frames=NAMES)) == 3


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (png(np.full((8, 15), 7, np.uint8)), "8 x 15; expected 8 x 16"),
        (png(np.full(SIZE, 7, np.uint16)), "mode I;16"),
        (png(np.full(SIZE, 7, np.uint8), "P"), "mode P"),
        (png(np.full(SIZE, 7, np.uint8), "RGB"), "mode RGB"),
        (png(np.array([0, 13], np.uint8).repeat(64).reshape(SIZE)), "that are no ids of classes: 0; these look"),
        (png(np.array([7, 255], np.uint8).repeat(64).reshape(SIZE)), "that are no ids of classes: 255; these"),
        (png(np.array([7, 29], np.uint8).repeat(64).reshape(SIZE)), "that are no ids of classes: 29"),
        (b"no image", "cannot be read as an image"),
        (GOOD[:-30], "cannot be read as an image"),
    ],
    ids=["size", "deep", "palette", "colour", "train", "void", "caravan", "text", "cut"],
)
def test_an_unfit_image_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    files = {f"{name}.png": GOOD for name in NAMES} | {f"{NAMES[1]}.png": data}
    (fault,) = faults_of(archive(tmp_path / "a.zip", files), Expected(count=3, size=SIZE))
    assert fault.startswith(f"unfit: {NAMES[1]}.png")
    assert words in fault
    assert fault.count(f"{NAMES[1]}.png") == 1
    assert ("train ids" in fault) == ("look" in words or "these" in words)


def test_missing_extra_and_doubled_names(tmp_path: Path) -> None:
    files = {
        f"{NAMES[0]}_a.png": GOOD,
        f"more/{NAMES[0]}_b.png": GOOD,
        f"{NAMES[1]}.png": GOOD,
        "notes.txt": b"",
        "x.png": GOOD,
    }
    found = faults_of(archive(tmp_path / "a.zip", files), Expected(count=3, size=SIZE, frames=NAMES))
    assert found == [
        f"missing: {NAMES[2]}*.png",
        "extra: notes.txt",
        "extra: x.png",
        f"doubled: {NAMES[0]} is {NAMES[0]}_a.png, more/{NAMES[0]}_b.png",
    ]


def test_without_the_images_number_and_cities_are_checked(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {f"{NAMES[0]}.png": GOOD, "frankfurt_000000_000294.png": GOOD})
    assert faults_of(path, Expected(size=SIZE)) == [
        "extra: frankfurt_000000_000294.png",
        f"wrong count: 1 frames, expected {TEST_FRAMES}",
    ]
    assert check_submission(path, Expected(count=2, size=SIZE)) == 2


def test_a_zip_of_folders_equals_another_of_the_same_files(tmp_path: Path) -> None:
    for name in NAMES:
        file = tmp_path / "labels" / name.split("_")[1] / f"{name}.png"
        file.parent.mkdir(parents=True)
        file.write_bytes(GOOD)
    assert write_zip(tmp_path / "labels", tmp_path / "a.zip") == 3
    write_zip(tmp_path / "labels", tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert check_submission(tmp_path / "a.zip", Expected(count=3, size=SIZE, frames=NAMES)) == 3
    assert check_submission(tmp_path / "labels", Expected(count=3, size=SIZE)) == 3


def test_what_is_no_zip(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("no zip")
    with pytest.raises(DataError, match="cannot be read as a zip"):
        check_submission(tmp_path / "a.zip", Expected())
    with pytest.raises(DataError, match="no such file or folder"):
        check_submission(tmp_path / "b.zip", Expected())


def test_a_file_that_unpacks_to_much_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(f"{NAMES[0]}.png", bytes(65_000_000))
    (fault,) = faults_of(tmp_path / "a.zip", Expected(count=1, size=SIZE))
    assert "has 65000000 bytes" in fault


def test_an_encrypted_file_is_a_fault(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {f"{NAMES[0]}.png": GOOD})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(data))
    (fault,) = faults_of(path, Expected(count=1, size=SIZE))
    assert "encrypted" in fault


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        ("munich_000000_000019_leftImg8bit.png", "munich_000000_000019"),
        ("munich_000000_000019.png", "munich_000000_000019"),
        ("munich_000000.png", None),
        ("munich_000000_000019.jpg", None),
    ],
)
def test_names_of_frames(name: str, frame: str | None) -> None:
    assert frame_of(name) == frame


def test_the_command_checks_a_zip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = archive(tmp_path / "a.zip", {f"{name}.png": GOOD for name in NAMES})
    assert main(["submit", "--check", str(path), "--count", "3", "--size", "8x16"]) == 0
    assert "3 label maps of 8 x 16 with regular ids, ready for the server" in capsys.readouterr().out
    assert main(["submit", "--check", str(path), "--count", "3", "--size", "8x16", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["label_maps"] == 3
    assert main(["submit", "--check", str(path)]) == 3
    captured = capsys.readouterr()
    assert f"unfit: {NAMES[2]}.png is 8 x 16; expected 1024 x 2048" in captured.err
    assert captured.err.splitlines()[-1].startswith(f"foveate: ERROR data: {path}: 1 wrong count, 3 unfit")


def test_options_that_do_not_fit(cityscapes_root: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    root = f"--data.root={cityscapes_root}"
    assert main(["submit", root]) == 2
    assert "give --ckpt_path CHECKPOINT" in capsys.readouterr().err
    assert main(["submit", root, "--ckpt_path", "x.ckpt", "--out", "x.tar"]) == 2
    assert main(["submit", root, "--ckpt_path", "x.ckpt", "--out", str(tmp_path / "x.zip")]) == 3
    assert "leftImg8bit/test: no such folder" in capsys.readouterr().err
    words = ["submit", root, "--ckpt_path", "x.ckpt", "--out", str(tmp_path / "x.zip"), "--split", "val"]
    assert main(words) == 3
    assert "3 images, expected 1525; for a smaller set say --count 3 and --size" in capsys.readouterr().err
