"""A trained model as a function of images: any kind of image, in any number, from any thread."""

from __future__ import annotations

import io
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import foveate
from foveate.datasets.labels import CAMVID
from foveate.pipeline.errors import CheckpointError, ConfigError, UnusableDataError
from foveate.pipeline.hub import save_pretrained
from foveate.pipeline.inference import InferenceConfig
from foveate.pipeline.predictor import Classification, Predictor, Segmentation
from foveate.pipeline.runs.checkpoints import read_checkpoint
from foveate.pipeline.segmentation import SegmentationTask
from foveate.tests.pipeline.predictor.models import PETS, classifier, photo, segmenter


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("predictor")
    segmenter(root / "run/checkpoints/best.ckpt")
    (root / "run/recipe.yaml").write_text("{}\n")
    classifier(root / "cls.ckpt")
    Image.fromarray(photo()).save(root / "photo.png")
    return root


@pytest.fixture(scope="module")
def segments(folder: Path) -> Predictor:
    return foveate.load(folder / "run/checkpoints/best.ckpt", engine="torch")


@pytest.fixture(scope="module")
def classifies(folder: Path) -> Predictor:
    return foveate.load(folder / "cls.ckpt", engine="torch")


def kinds(path: Path) -> dict[str, Any]:
    """One image as everything that is accepted."""
    pixels = np.asarray(Image.open(path)).copy()
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    turned = Image.fromarray(np.rot90(pixels))
    turned.getexif()[0x0112] = 6
    planes = torch.from_numpy(pixels).permute(2, 0, 1)
    return {
        "path": path,
        "text": str(path),
        "bytes": png.getvalue(),
        "view": memoryview(png.getvalue()),
        "pil": Image.open(path),
        "rgba": Image.fromarray(pixels).convert("RGBA"),
        "turned": turned,
        "uint8": pixels,
        "strided": pixels[::-1][::-1],
        "float32": (pixels / 255).astype(np.float32),
        "float16": (pixels / 255).astype(np.float16),
        "tensor": planes,
        "float-tensor": planes / 255,
        "bfloat16-free": (planes.double() / 255).requires_grad_(),
    }


@pytest.mark.parametrize("model", ["segments", "classifies"])
def test_every_kind_of_image_gives_the_same(model: str, folder: Path, request: pytest.FixtureRequest) -> None:
    predictor: Predictor = request.getfixturevalue(model)
    expected = predictor(folder / "photo.png")
    for kind, image in kinds(folder / "photo.png").items():
        result = predictor(image)
        if isinstance(result, Segmentation):
            assert np.array_equal(result.labels, expected.labels), kind
            assert np.array_equal(result.image, expected.image), kind
        else:
            assert np.array_equal(result.probabilities, expected.probabilities), kind


def test_grey_images_are_three_equal_channels(segments: Predictor) -> None:
    grey = photo()[..., 0]
    expected = segments(np.repeat(grey[..., None], 3, axis=2)).labels
    for image in (grey, grey[..., None], torch.from_numpy(grey.copy()), Image.fromarray(grey), grey / 255):
        assert np.array_equal(segments(image).labels, expected)


CONFIGS = {
    "whole": InferenceConfig(),
    "padded": InferenceConfig(multiple_of=32),
    "resized": InferenceConfig(short_side=48, long_side=200),
    "slide": InferenceConfig(mode="slide", size=(48, 48), stride=(32, 32), window_weights="linear"),
    "views": InferenceConfig(scales=(0.75, 1.0), flip=True),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_labels_are_those_of_the_task_that_the_command_runs(name: str, tmp_path: Path) -> None:
    path = segmenter(tmp_path / "a.ckpt", inference=CONFIGS[name])
    content = read_checkpoint(path)
    task = SegmentationTask(network="mobilenet_v2_035+light_ham", labels=CAMVID, inference=CONFIGS[name]).eval()
    task.load_state_dict(content["state_dict"])
    image = photo((70, 93))
    with torch.inference_mode():
        expected = task.predict_step({"image": torch.from_numpy(image.transpose(2, 0, 1).copy())[None]}, 0)  # type: ignore[typeddict-item]
    result = Predictor.load(path, engine="torch")(image, probabilities=True)
    assert np.array_equal(result.labels, expected[0].numpy())  # type: ignore[index]
    np.testing.assert_allclose(result.probabilities.sum(0), 1, rtol=1e-5)
    np.testing.assert_allclose(result.probabilities.max(0), result.confidence, rtol=1e-4)


def test_a_segmentation_tells_shares_colours_and_files(segments: Predictor, tmp_path: Path) -> None:
    result = segments(photo())
    assert (segments.kind, result.classes) == ("segmentation", CAMVID.names)
    assert (result.labels.dtype, result.labels.shape, result.probabilities) == (np.uint8, (70, 90), None)
    assert sum(result.shares().values()) == pytest.approx(1)
    assert result.shares()["car"] == (result.labels == 8).mean()
    assert np.array_equal(np.asarray(result.overlay(0)), photo())
    assert np.array_equal(np.asarray(result.overlay(1.0)), CAMVID.palette()[result.labels])
    assert np.array_equal(np.asarray(result.palette()), result.labels)
    files = result.save(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in files] == [
        "labels/image.png",
        "overlays/image.png",
        "confidence/image.png",
    ]
    assert np.array_equal(np.asarray(Image.open(files[0])), result.labels)
    with pytest.raises(ConfigError, match=r"no format 'geo'.*accepted: coco, geojson"):
        result.polygons("geo")
    with pytest.raises(ConfigError, match="opacity is from 0"):
        result.overlay(2)


def test_a_classification_tells_the_most_probable_classes(classifies: Predictor) -> None:
    result = classifies(photo())
    assert isinstance(result, Classification)
    assert result.classes == PETS.names
    assert result.probabilities.sum() == pytest.approx(1)
    top = result.top(99)
    assert [share for _, share in top] == sorted(result.probabilities.tolist(), reverse=True)
    assert top[0][0] == result.label
    assert len(result.top(2)) == 2


def test_a_list_gives_a_list_and_another_iterable_a_generator(segments: Predictor) -> None:
    images = [photo((40, 50), 1), photo((30, 50), 2), photo((40, 50), 3)]
    expected = [segments(image).labels for image in images]
    results = segments(images)
    assert isinstance(results, list)
    assert [result.name for result in results] == ["image 0", "image 1", "image 2"]
    assert all(map(np.array_equal, [result.labels for result in results], expected))
    stream = segments(image for image in images)
    assert isinstance(stream, Iterator)
    assert np.array_equal(next(stream).labels, expected[0])
    assert segments([]) == []


def test_images_of_one_size_go_through_the_network_together(folder: Path) -> None:
    predictor = Predictor.load(folder / "run/checkpoints/best.ckpt", engine="torch", batch_size=2)
    seen: list[tuple[int, ...]] = []
    assert predictor.network is not None
    predictor.network.encoder.register_forward_pre_hook(lambda module, inputs: seen.append(tuple(inputs[0].shape)))
    sizes = [(32, 32), (48, 32), (32, 32), (48, 32), (32, 32)]
    results = predictor([photo(size, number) for number, size in enumerate(sizes)])
    assert [result.labels.shape for result in results] == sizes
    assert seen == [(2, 3, 32, 32), (1, 3, 32, 32), (2, 3, 48, 32)]


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_thousand_images_are_held_a_few_at_a_time(folder: Path, batch_size: int) -> None:
    predictor = Predictor.load(folder / "run", engine="torch", batch_size=batch_size)
    gone: list[int] = []
    drawn = most = 0

    def images() -> Iterator[np.ndarray]:
        nonlocal drawn
        for number in range(1000):
            drawn = number + 1
            image = np.zeros((1, 1, 3), np.uint8)
            weakref.finalize(image, gone.append, 1)
            yield image

    for result in predictor(images()):
        weakref.finalize(result.labels.base if result.labels.base is not None else result.labels, gone.append, 0)
        most = max(most, drawn - gone.count(1))
    assert drawn == 1000
    assert most <= 4 * batch_size + 1
    assert gone.count(0) >= 990 // batch_size


def test_threads_share_a_predictor(folder: Path) -> None:
    predictor = Predictor.load(folder / "run", engine="folded")  # the engine is created by whichever comes first
    images = [photo((40 + 8 * (number % 3), 48), number) for number in range(12)]
    barrier = threading.Barrier(2)

    def work(part: list[np.ndarray]) -> list[np.ndarray]:
        barrier.wait(30)
        return [predictor(image).labels for image in part]

    with ThreadPoolExecutor(2) as pool:
        found = [labels for part in pool.map(work, (images[:6], images[6:])) for labels in part]
    assert all(map(np.array_equal, found, [predictor(image).labels for image in images]))


PIXELS = photo((8, 9)).copy()
BAD: dict[str, tuple[Any, str]] = {
    "truncated": (b"\x89PNG\r\n\x1a\n" + b"\0" * 30, "image: cannot be read as an image"),
    "no image": (b"hello", "image: cannot be read as an image"),
    "no bytes": (b"", r"image: empty \(0 bytes\)"),
    "no file": ("nothing.png", "nothing.png: no such file"),
    "four channels": (np.zeros((8, 9, 4), np.uint8), r"4 channels; the model takes 3.*image\[..., :3\]"),
    "two channels": (np.zeros((8, 9, 2), np.uint8), "2 channels; the model takes 3 channels, or 1"),
    "planes": (PIXELS.transpose(2, 0, 1), r"looks like \(C, H, W\): give image.transpose\(1, 2, 0\)"),
    "tensor of planes last": (torch.zeros(20, 30, 3), r"looks like \(H, W, C\).*permute\(2, 0, 1\)"),
    "0-255 floats": (PIXELS.astype(float), "floats from .* divide by 255"),
    "negative": (PIXELS / 255 - 1, "floats from -1 to"),
    "nan": (np.full((8, 9, 3), np.nan), "floats from nan to nan"),
    "int64": (PIXELS.astype(int), r"values of type int64; give uint8.*astype\('uint8'\)"),
    "uint16": (PIXELS.astype(np.uint16), "values of type uint16"),
    "texts": (np.full((8, 9, 3), "a"), "values of type <U1"),
    "empty": (np.zeros((0, 9, 3), np.uint8), "0 x 9 with 3 channels holds no pixel"),
    "batch": (np.zeros((2, 8, 9, 3), np.uint8), "several are a list of such"),
    "number": (7, "a int is no image; give a path, bytes"),
    "none": (None, "a NoneType is no image"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_image_is_told_what_is_accepted(name: str, segments: Predictor) -> None:
    image, said = BAD[name]
    with pytest.raises(UnusableDataError, match=said):
        segments(image)


def test_the_image_of_a_list_that_is_wrong_is_named(segments: Predictor, folder: Path) -> None:
    half = (folder / "photo.png").read_bytes()[:500]
    with pytest.raises(UnusableDataError, match="image 1: cannot be read as an image"):
        segments([PIXELS, half])
    with pytest.raises(UnusableDataError, match="image 0: cannot be read as an image"):
        segments([Image.open(io.BytesIO(half))])


def test_a_run_a_checkpoint_and_a_folder_of_the_hub_give_the_same(folder: Path, tmp_path: Path) -> None:
    checkpoint = folder / "run/checkpoints/best.ckpt"
    save_pretrained(checkpoint, tmp_path / "hub")
    expected = Predictor.load(checkpoint, engine="torch")(photo())
    for source in (folder / "run", str(tmp_path / "hub")):
        predictor = Predictor.load(source, engine="torch")
        assert predictor.label_set == CAMVID
        assert np.array_equal(predictor(photo()).labels, expected.labels)
    save_pretrained(folder / "cls.ckpt", tmp_path / "pets")
    again = Predictor.load(tmp_path / "pets", engine="torch")
    assert again.label_set == PETS
    found, wanted = again(photo()), foveate.load(folder / "cls.ckpt", engine="torch")(photo())
    assert np.array_equal(found.probabilities, wanted.probabilities)


def test_several_views_of_a_classifier_are_averaged_as_in_the_training(tmp_path: Path) -> None:
    predictor = Predictor.load(classifier(tmp_path / "a.ckpt", eval_views="ten_crop"), engine="torch")
    single = Predictor.load(classifier(tmp_path / "b.ckpt"), engine="torch")
    assert not np.array_equal(predictor(photo()).probabilities, single(photo()).probabilities)
    assert predictor(photo()).probabilities.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("source", "options", "kind", "said"),
    [
        ("nothing.ckpt", {}, CheckpointError, "nothing.ckpt: no such file or folder; a predictor takes a checkpoint"),
        (".", {}, CheckpointError, "no run directory: it holds no checkpoints/best.ckpt"),
        ("run", {"engine": "tensorrt"}, ConfigError, "no engine 'tensorrt'"),
        ("run", {"device": "tpu9"}, ConfigError, "no device 'tpu9' here"),
        ("run", {"batch_size": 0}, ConfigError, "batch_size is at least 1"),
        ("run", {"plugins": ["nowhere_module"]}, Exception, "nowhere_module"),
    ],
)
def test_what_cannot_be_loaded_is_told(
    source: str, options: dict[str, Any], kind: type[Exception], said: str, folder: Path
) -> None:
    with pytest.raises(kind, match=said):
        Predictor.load(folder / source, **options)
