"""What every test shares: shapes are checked, nothing asks the network, and small data sets in their own layouts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # else its import asks the network for a newer version
os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_SILENT"] = "true"
os.environ.pop("PL_GLOBAL_SEED", None)  # a seed that stayed behind would decide shuffling

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from foveate.tests.signatures import check_signatures

TRAIN = [f"{row}_{column}" for row in (2, 3, 4, 5) for column in (10, 11, 12)]
TRAIN += [f"{row}_{column}" for row in (6, 7) for column in range(7, 13)]
TEST = ["2_13", "2_14", "3_13", "3_14", "4_13", "4_14", "4_15", "5_13", "5_14", "5_15", "6_13", "6_14", "6_15", "7_13"]

# Before anything else of ours is imported: from here on each signature is checked, shapes included.
check_signatures(["foveate.plugins", "foveate.pipeline", "foveate.datasets"])

ROOT = Path(__file__).resolve().parents[1]
STREET_IDS = (0, 4, 7, 8, 11, 21, 23, 24, 26, 33)  # void ones first


def pytest_configure(config: pytest.Config) -> None:
    """Hide GPUs from tests that were not asked for by the mark `gpu`: the others expect the sums of a CPU."""
    asked = config.option.markexpr or ""
    if "gpu" not in asked or "not gpu" in asked:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


@pytest.fixture(autouse=True, scope="session")
def own_verdicts(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Verdicts on made-up plugins stay out of the user's cache, in processes that are started too."""
    os.environ["FOVEATE_PLUGIN_CACHE"] = str(tmp_path_factory.mktemp("verdicts"))


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Small tensors gain nothing from threads, and parallel test processes lose by them."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    torch.manual_seed(0)


@pytest.fixture
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data, reference numbers and odd files, which are too large or not ours to commit."""
    given = os.environ.get("FOVEATE_SHARED")
    folder = Path(given) if given else ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no shared data: name its folder in FOVEATE_SHARED, or put it beside the repository")
    return folder


@pytest.fixture(scope="session")
def vectors() -> Path:
    """Numbers from the authors' own modules (tests/data/README.md)."""
    return ROOT / "tests" / "data" / "vectors"


@pytest.fixture(scope="session")
def jitter() -> Callable[[nn.Module], nn.Module]:
    """Moves every parameter off its start, so that none hides behind a zero, a one or a small scale."""

    def move(module: nn.Module) -> nn.Module:
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in module.parameters():
                scale = (
                    parameter.abs().mean().item() or 0.1
                )  # deep gates multiply: noise in proportion keeps them finite
                parameter.add_(0.3 * scale * torch.randn(parameter.shape, generator=generator))
        return module

    return move


def write_cityscapes(root: Path) -> Path:
    """Six train and three val frames of 64 x 128 in Cityscapes' layout, with void among their label ids."""
    for split, city, count in (("train", "aachen", 4), ("train", "bochum", 2), ("val", "frankfurt", 3)):
        for number in range(count):
            write_frame(root, split, f"{city}_{number:06d}_000019", seed=100 * ord(city[0]) + number)
    return root


@pytest.fixture
def cityscapes_root(tmp_path: Path) -> Path:
    """See `write_cityscapes`."""
    return write_cityscapes(tmp_path / "cityscapes")


@pytest.fixture
def camvid_root(tmp_path: Path) -> Path:
    """Four train and two val pairs of 48 x 64 in the layout of the SegNet tutorial, 11 being void."""
    root = tmp_path / "camvid"
    for split, count in (("train", 4), ("val", 2)):
        for number in range(count):
            image, label = draw(48, 64, ids=(0, 3, 8, 11), seed=number + 100 * (split == "val"))
            save(image, root / split / f"0001TP_{number:06d}.png")
            save(label, root / f"{split}annot" / f"0001TP_{number:06d}.png")
    return root


@pytest.fixture
def ade20k_root(tmp_path: Path) -> Path:
    """Four train and two val pairs in the layout of ADEChallengeData2016; 0 is to be ignored."""
    root = tmp_path / "ADEChallengeData2016"
    for split, count in (("training", 4), ("validation", 2)):
        for number in range(count):
            image, label = draw(48, 64 + 8 * number, ids=(0, 1, 13, 150), seed=number)
            save(image, root / f"images/{split}/ADE_{number:08d}.jpg")
            save(label, root / f"annotations/{split}/ADE_{number:08d}.png")
    return root


@pytest.fixture
def voc2012_root(tmp_path: Path) -> Path:
    """Four train and two val pairs in the layout of VOCdevkit, and one more image with SBD's labels."""
    root = tmp_path / "VOCdevkit/VOC2012"
    names = [f"2007_{number:06d}" for number in range(6)]
    for number, name in enumerate([*names, "2008_000009"]):
        image, label = draw(48, 64, ids=(0, 7, 15, 20, 255), seed=number)
        save(image, root / f"JPEGImages/{name}.jpg")
        folder = "SegmentationClass" if name in names else "SegmentationClassAug"
        save(with_palette(label), root / f"{folder}/{name}.png")
    lists = {"train": names[:4], "val": names[4:], "trainval": names, "trainaug": [*names[:4], "2008_000009"]}
    for split, listed in lists.items():
        path = root / f"ImageSets/Segmentation/{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{name}\n" for name in listed))
    return root.parent


@pytest.fixture
def coco_stuff164k_root(tmp_path: Path) -> Path:
    """Four train and two val pairs in the layout of COCO-Stuff, with ids of its pixel maps."""
    root = tmp_path / "coco"
    for split, count in (("train2017", 4), ("val2017", 2)):
        for number in range(count):
            image, label = draw(48, 64, ids=(0, 12, 91, 181, 255), seed=number)
            save(image, root / f"images/{split}/{number:012d}.jpg")
            save(label, root / f"annotations/{split}/{number:012d}.png")
    return root


@pytest.fixture
def loveda_root(tmp_path: Path) -> Path:
    """Four train and two val pairs in the layout of LoveDA, half of them urban; 0 is to be ignored."""
    root = tmp_path / "LoveDA"
    for split, count in (("Train", 4), ("Val", 2)):
        for number in range(count):
            image, label = draw(64, 64, ids=(0, 1, 3, 7), seed=number)
            scene = "Urban" if number % 2 else "Rural"
            save(image, root / f"{split}/{scene}/images_png/{number}.png")
            save(label, root / f"{split}/{scene}/masks_png/{number}.png")
    return root


@pytest.fixture
def potsdam_root(tmp_path: Path) -> Path:
    """The 38 tiles of ISPRS Potsdam, reduced to 32 x 32, with label maps in colour and those without boundaries."""
    root = tmp_path / "potsdam"
    colours = np.array([(255, 255, 255), (0, 0, 255), (255, 255, 0), (255, 0, 0), (0, 0, 0)], dtype=np.uint8)
    for number, tile in enumerate([*TRAIN, *TEST]):
        image, label = draw(32, 32, ids=(0, 1, 2, 3), seed=number)
        save(image, root / f"2_Ortho_RGB/top_potsdam_{tile}_RGB.tif")
        save(colours[label], root / f"5_Labels_all/top_potsdam_{tile}_label.tif")
        label[::8] = 4
        save(colours[label], root / f"5_Labels_all_noBoundary/top_potsdam_{tile}_label_noBoundary.tif")
    return root


@pytest.fixture
def restore_modules() -> Iterator[None]:
    """Forgets the made-up modules that a test imported."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("made_up_"):
            del sys.modules[name]


def write_frame(root: Path, split: str, frame: str, *, seed: int) -> None:
    city = frame.split("_")[0]
    image, label = draw(64, 128, ids=STREET_IDS, seed=seed)
    save(image, root / "leftImg8bit" / split / city / f"{frame}_leftImg8bit.png")
    save(label, root / "gtFine" / split / city / f"{frame}_gtFine_labelIds.png")


def draw(height: int, width: int, *, ids: tuple[int, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A noisy image and a label map of vertical stripes, one for each id."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    stripes = rng.permutation(np.array(ids, dtype=np.uint8))[np.arange(width) * len(ids) // width]
    return image, np.repeat(stripes[None], height, axis=0)


def with_palette(label: np.ndarray) -> Image.Image:
    """A label map as a palette image, whose colours are not its ids."""
    image = Image.fromarray(label, mode="P")
    image.putpalette([value for number in range(256) for value in (number * 7 % 256, 255 - number, number // 2)])
    return image


def save(picture: np.ndarray | Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    (Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture).save(path)
