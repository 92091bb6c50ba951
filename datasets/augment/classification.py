"""Augmentation of a classifier's images before they go to the device: torchvision's operations on bytes, with a seed
for each sample.

Random erasing, mixup and cutmix need whole batches of floats; they are applied later, on the device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import UInt8
from PIL.Image import Resampling
from torch import Tensor
from torchvision.transforms import InterpolationMode  # type: ignore[import-untyped]
from torchvision.transforms import v2 as T

from foveate.datasets.errors import DataConfigError

Stored = UInt8[Tensor, "3 H W"]
Sized = UInt8[Tensor, "3 S S"]
Several = UInt8[Tensor, "*V 3 S S"]  # V views, or one without that axis
Applied = tuple[str, Mapping[str, Any]]  # name of an operation, and what was drawn for it
Crop = Literal["random_resized", "padded", "none"]
Interpolation = Literal["bicubic", "bilinear", "nearest", "lanczos"]
Views = Literal["center", "flip", "five_crop", "ten_crop"]
CUBIC, LINEAR = InterpolationMode.BICUBIC, InterpolationMode.BILINEAR
GREY = 128  # fills what a rotation or shift uncovers
CORNERS, MIRRORED = ("five_crop", "ten_crop"), ("flip", "ten_crop")  # views with corners, with mirror images
LEVELS = 11  # RandAugment's magnitudes are 0 to 10, as published


class ClassifierTrainTransform:
    """Augment an image; the same seed gives the same result in any process.

    Args:
        size: Side of the square result, in pixels.
        crop: `random_resized` cuts a part of random area and shape and resizes it; `padded` resizes, pads with black
            and cuts the size out anywhere, for images that are small already; `none` only resizes.
        scale: Range of the share of the image's area that a random resized crop keeps.
        ratio: Range of that crop's width over height.
        padding: Pixels on each side of a padded crop.
        flip: Probability of a horizontal flip.
        rotation: Largest turn, in degrees.
        shift: Largest shift, as a share of the side.
        randaugment: Number of RandAugment's operations (Cubuk et al. 2019, arXiv:1909.13719) on each image; 0 for none.
        magnitude: How strong they are, 0 to 10.
    """

    def __init__(
        self,
        size: int,
        *,
        crop: Crop = "random_resized",
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        padding: int = 4,
        flip: float = 0.5,
        rotation: float = 0.0,
        shift: float = 0.0,
        randaugment: int = 0,
        magnitude: int = 9,
    ) -> None:
        _check_range("scale", scale, highest=1.0)
        _check_range("ratio", ratio)
        if not 0 <= magnitude < LEVELS or randaugment < 0:
            raise DataConfigError(
                f"randaugment is a number of operations from 0, and magnitude 0 to {LEVELS - 1}, "
                f"not {randaugment} and {magnitude}"
            )
        steps: list[Callable[[Tensor], Tensor]] = _crop(size, crop, scale, ratio, padding)
        if flip:
            steps.append(T.RandomHorizontalFlip(flip))
        if rotation or shift:
            steps.append(T.RandomAffine(rotation, (shift, shift), interpolation=LINEAR, fill=0))
        if randaugment:
            steps.append(
                T.RandAugment(randaugment, magnitude, num_magnitude_bins=LEVELS, interpolation=LINEAR, fill=GREY)
            )
        self._steps = steps

    def __call__(self, image: Stored, *, seed: int) -> Sized:
        """RGB bytes (3, H, W) in, at the size asked for out."""
        with seeded(seed):
            return _apply(self._steps, image)

    def explain(self, image: Stored, *, seed: int) -> tuple[Sized, list[Applied]]:
        """The same result, and the operations that were applied, with what was drawn for each.

        Args:
            image: RGB bytes (3, H, W).
            seed: Decides everything.
        """
        applied: list[Applied] = []
        with seeded(seed):
            for step in self._steps:
                with _told(step, applied):
                    image = step(image)
        return image.contiguous(), applied


@contextmanager
def _told(step: Any, applied: list[Applied]) -> Iterator[None]:
    """Note what a step of torchvision draws. A step that is left out by chance draws nothing; a resize never does."""
    if isinstance(step, T.RandAugment):
        applied.append(("RandAugment", {"operations": step.num_ops, "magnitude": step.magnitude}))
    if isinstance(step, T.Resize | T.RandAugment):
        yield
        return
    make_params = step.make_params

    def told(inputs: list[Any]) -> dict[str, Any]:
        drawn: dict[str, Any] = make_params(inputs)
        applied.append((type(step).__name__, drawn))
        return drawn

    step.make_params = told
    try:
        yield
    finally:
        del step.make_params


class ClassifierEvalTransform:
    """Resize an image for evaluation; nothing is random.

    Published accuracies belong to a way of resizing: torchvision's to `bilinear` (or what its weights say), timm's
    mostly to `bicubic` with its own `crop_pct` as `crop_ratio`. Both smooth where they make an image smaller.

    Args:
        size: Side of the square result, in pixels.
        crop_ratio: Share of the shorter side that the central crop keeps; None resizes the whole image, whatever its
            shape. The shorter side is resized to size / crop_ratio, rounded to the nearest pixel.
        interpolation: How images are resized: bicubic, bilinear, nearest, or lanczos.
        views: Which parts of an image are given: `center`; `flip`, that and its mirror image; `five_crop`, the centre
            and the four corners; `ten_crop`, these and their mirror images.

    Raises:
        DataConfigError: The share is not above 0 and at most 1, or an interpolation or views do not exist, or leave
            no corners.
    """

    def __init__(
        self,
        size: int,
        *,
        crop_ratio: float | None = 0.875,
        interpolation: Interpolation = "bicubic",
        views: Views = "center",
    ) -> None:
        if crop_ratio is not None and not 0 < crop_ratio <= 1:
            raise DataConfigError(f"crop_ratio is above 0 and at most 1, or null, not {crop_ratio}")
        if interpolation not in get_args(Interpolation):
            accepted = ", ".join(get_args(Interpolation))
            raise DataConfigError(f"no interpolation named {interpolation!r} (accepted: {accepted})")
        if views not in get_args(Views):
            raise DataConfigError(f"no eval_views named {views!r} (accepted: {', '.join(get_args(Views))})")
        if views in CORNERS and crop_ratio is None:
            raise DataConfigError(f"eval_views {views} cuts parts out: give --data.crop_ratio too, such as 0.875")
        self.size, self.crop_ratio, self.interpolation, self.views = size, crop_ratio, interpolation, views
        if crop_ratio is None:
            self._steps: list[Callable[[Tensor], Tensor]] = [partial(_resize, (size, size), interpolation)]
        else:
            cut: Callable[[Tensor], Tensor] = partial(_corners, size) if views in CORNERS else T.CenterCrop(size)
            self._steps = [partial(_resize, round(size / crop_ratio), interpolation), cut]
        if views in MIRRORED:
            self._steps.append(_mirrored)

    def __call__(self, image: Stored, *, seed: int) -> Several:
        """RGB bytes (3, H, W) in, at the size asked for out, the central view first; the seed changes nothing."""
        return _apply(self._steps, image)


def _corners(size: int, image: Tensor) -> Tensor:
    """The centre and the four corners (5, 3, size, size)."""
    *corners, center = T.functional.five_crop(image, [size, size])
    return torch.stack([center, *corners])


def _mirrored(image: Tensor) -> Tensor:
    """One or several views, and behind them their mirror images."""
    views = image if image.ndim == 4 else image[None]
    return torch.cat([views, views.flip(3)])


def _resize(size: int | tuple[int, int], interpolation: Interpolation, image: Tensor) -> Tensor:
    """Both sides, or the shorter one to a length."""
    if interpolation != "lanczos":
        mode = InterpolationMode(interpolation)
        resized: Tensor = T.functional.resize(image, size, interpolation=mode, antialias=mode in (CUBIC, LINEAR))
        return resized
    picture = T.functional.to_pil_image(image)  # Pillow alone has it
    if isinstance(size, int):
        size = _shorter_to(size, picture.height, picture.width)
    smaller = picture.resize((size[1], size[0]), Resampling.LANCZOS)
    return torch.from_numpy(np.array(smaller)).permute(2, 0, 1)


def _shorter_to(length: int, height: int, width: int) -> tuple[int, int]:
    """Height and width once the shorter side has a length, rounded down as torchvision does."""
    if height <= width:
        return length, int(length * width / height)
    return int(length * height / width), length


def _apply(steps: Sequence[Callable[[Tensor], Tensor]], image: Tensor) -> Tensor:
    for step in steps:
        image = step(image)
    return image.contiguous()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw PyTorch's random numbers on the CPU from a seed; afterwards the generator's earlier state is restored.

    Args:
        seed: Decides the numbers drawn inside the block.
    """
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)  # torch.manual_seed would move the accelerators' numbers too
    try:
        yield
    finally:
        torch.set_rng_state(before)


def _crop(
    size: int, crop: Crop, scale: tuple[float, float], ratio: tuple[float, float], padding: int
) -> list[Callable[[Tensor], Tensor]]:
    if crop == "random_resized":
        return [T.RandomResizedCrop(size, scale, ratio, interpolation=CUBIC, antialias=True)]
    if crop == "padded":
        return [_square(size), T.RandomCrop(size, padding=padding)]
    return [_square(size)]


def _square(size: int) -> Callable[[Tensor], Tensor]:
    resize: Callable[[Tensor], Tensor] = T.Resize((size, size), interpolation=CUBIC, antialias=True)
    return resize


def _check_range(name: str, values: tuple[float, float], highest: float = float("inf")) -> None:
    if not 0 < values[0] <= values[1] <= highest:
        limit = "" if highest == float("inf") else f" and at most {highest:g}"
        raise DataConfigError(f"{name} is a lower and an upper limit above 0{limit}, not {list(values)}")
