"""Small data sets in CamVid's layout with images of any depth and number of bands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (48, 64)
LOW, HIGH = 12, 3874


def draw(mask: np.ndarray, bands: int, rng: np.random.Generator) -> np.ndarray:
    """Values of 12 bits that follow the classes, so that something can be learnt; both ends occur in each band."""
    values = mask[..., None].astype(int) * 300 + rng.integers(LOW, 500, (*mask.shape, bands))
    values[0, :2] = [[LOW] * bands, [HIGH] * bands]
    return values.clip(LOW, HIGH).astype(np.uint16)


def write_set(root: Path, bands: int = 4, *, ending: str = "tif", dtype: str = "uint16", train: int = 4) -> Path:
    """Images and label maps of train and val; TIFF files need tifffile."""
    rng = np.random.default_rng(0)
    for split, count in (("train", train), ("val", 2)):
        (root / split).mkdir(parents=True, exist_ok=True)
        (root / f"{split}annot").mkdir(exist_ok=True)
        for number in range(count):
            mask = np.kron(rng.integers(0, 12, (6, 8)), np.ones((8, 8))).astype(np.uint8)
            Image.fromarray(mask).save(root / f"{split}annot" / f"{number}.png")
            values = draw(mask, bands, rng)
            scaled = (values / HIGH).astype(dtype) if dtype.startswith("float") else values.astype(dtype)
            write_image(root / split / f"{number}.{ending}", scaled)
    return root


def write_image(path: Path, values: np.ndarray) -> None:
    """An array or a TIFF whose further bands are no alpha."""
    if path.suffix == ".npy":
        np.save(path, values)
        return
    import tifffile

    bands = values.shape[2]
    colours = "rgb" if bands >= 3 else "minisblack"
    extra = ["unspecified"] * (bands - (3 if bands >= 3 else 1))
    squeezed = values[..., 0] if bands == 1 else values
    tifffile.imwrite(path, squeezed, photometric=colours, extrasamples=extra, compression="deflate")
