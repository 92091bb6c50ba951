"""From painted surfaces to a photograph: texture, haze, daylight, lens and sensor."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from foveate.datasets.scenes.canvas import Canvas, Colour, Material
from foveate.datasets.scenes.palette import blend, grey


@dataclass(frozen=True, kw_only=True)
class Weather:
    """The light of one scene.

    Attributes:
        sky: Colour of the sky.
        sun: How much the sun adds to the sky's light, 0-1; the depth of shadows.
        sun_side: -1 or 1, the side of the street the sun shines from.
        exposure: Brightness of the picture.
        gamma: Exponent of the picture.
        temperature: Red over blue, about 1.
        saturation: How much of the colours is left, 0-1; the rest is grey.
        haze: Distance in metres at which two thirds of a colour are lost.
        noise: Standard deviation of the sensor's noise, 0-1.
        blur: Standard deviation of the lens' blur in pixels of a picture with 256 rows.
    """

    sky: Colour
    sun: float
    sun_side: int
    exposure: float
    gamma: float
    temperature: float
    saturation: float
    haze: float
    noise: float
    blur: float


def draw_weather(rng: np.random.Generator) -> Weather:
    """Overcast, sunny or dusk."""
    kind = rng.choice(("overcast", "sunny", "dusk"), p=(0.45, 0.35, 0.2))
    blue, glow = (0.42, 0.56, 0.74), (0.62, 0.48, 0.42)
    sky = grey(rng, 0.45, 0.95)
    if kind == "sunny":
        sky = blend(sky, blue, rng.uniform(0.3, 1.0))
    elif kind == "dusk":
        sky = blend(grey(rng, 0.3, 0.6), glow, rng.uniform(0.0, 0.8))
    return Weather(
        sky=sky,
        sun=rng.uniform(0.35, 0.6) if kind == "sunny" else rng.uniform(0.05, 0.2),
        sun_side=int(rng.choice((-1, 1))),
        exposure=rng.uniform(0.7, 0.95) if kind == "dusk" else rng.uniform(0.8, 1.2),
        gamma=rng.uniform(0.8, 1.2),
        temperature=float(np.exp(rng.normal(0.0, 0.09))),
        saturation=rng.uniform(0.5, 1.0),
        haze=float(np.exp(rng.uniform(np.log(90), np.log(900)))),
        noise=rng.uniform(0.006, 0.03),
        blur=rng.uniform(0.35, 0.85),
    )


def develop(canvas: Canvas, rng: np.random.Generator, weather: Weather) -> np.ndarray:
    """The photograph, uint8 (H, W, 3) RGB."""
    across, along = canvas.camera.ground()
    surface = canvas.surface.astype(np.intp)
    material = np.array(canvas.materials, dtype=np.uint8).take(surface)
    light = _texture(canvas, rng, material, across, along)
    on_ground = material >= Material.ASPHALT
    np.multiply(light, canvas.shade, out=light, where=on_ground)
    depth = np.array(canvas.depths, dtype=np.float32).take(surface)
    np.copyto(depth, along, where=on_ground)
    clear = cv2.exp(depth / np.float32(-weather.haze))
    planes = _expose(canvas.colours, weather).take(surface, axis=1)
    veil = _expose([weather.sky], weather)[:, :, None]
    return _photograph((planes * light - veil) * clear + veil, rng, weather)


def _expose(colours: list[Colour], weather: Weather) -> np.ndarray:
    """Brightness 0-255 of each colour in the scene's light: float32 (3, N)."""
    reflected = np.array(colours, dtype=np.float32).T
    grey_part = reflected.mean(axis=0)
    balance = 255 * weather.exposure * weather.temperature ** np.array(((0.5,), (0.0,), (-0.5,)))
    seen = balance * (grey_part + weather.saturation * (reflected - grey_part))
    return np.asarray(seen, dtype=np.float32)


def _photograph(planes: np.ndarray, rng: np.random.Generator, weather: Weather) -> np.ndarray:
    """Blur, noise and gamma: brightness (3, H, W) -> uint8 (H, W, 3)."""
    _, height, width = planes.shape
    picture = cv2.GaussianBlur(cv2.merge(tuple(planes)), (0, 0), max(weather.blur * height / 256, 0.3))
    picture += _grain(rng, height, width) * np.float32(255 * weather.noise)
    curve = 255 * (np.arange(256) / 255) ** weather.gamma
    return np.asarray(cv2.LUT(np.clip(picture, 0, 255).astype(np.uint8), np.rint(curve).astype(np.uint8)))


def _grain(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Noise of standard deviation 1, float32 (H, W, 3): each row is a random stretch of one long row of numbers."""
    offsets = 1 << 15
    numbers = rng.standard_normal(3 * width + offsets, dtype=np.float32)
    rows = np.lib.stride_tricks.sliding_window_view(numbers, 3 * width)[rng.integers(0, offsets, height)]
    return rows.reshape(height, width, 3)


def _noise(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> np.ndarray:
    """Smooth noise of standard deviation about 1 and grains of `cell` pixels: float32 of the shape."""
    rows, columns = (max(int(size / cell), 1) + 2 for size in shape)
    grains = rng.standard_normal((rows, columns), dtype=np.float32)
    return np.asarray(cv2.resize(grains, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR))


def _texture(
    canvas: Canvas, rng: np.random.Generator, material: np.ndarray, across: np.ndarray, along: np.ndarray
) -> np.ndarray:
    """Factor on every pixel's colour, float32 (H, W), by its material."""
    height, width = material.shape
    shape, scale = (height, width), height / 256
    fine, soft = _noise(rng, shape, max(1.3 * scale, 1.0)), _noise(rng, shape, 30 * scale)
    leaves = 0.22 * fine + 0.25 * _noise(rng, shape, 3.5 * scale) + 0.2 * _noise(rng, shape, 9 * scale)
    lying = _on_ground(rng, across, along, 0.1)
    factors = {
        Material.SMOOTH: 1 + 0.02 * soft,
        Material.PLASTER: 1 + 0.035 * fine + 0.04 * soft,
        Material.FOLIAGE: np.clip(0.85 + leaves, 0.25, 1.7),
        Material.CLOUD: np.clip(1 + 0.05 * _noise(rng, shape, 70 * scale) + 0.03 * soft, 0.7, 1.2),
        Material.ASPHALT: 1 + 0.05 * lying + 0.05 * soft,
        Material.PAVING: _paving(rng, across, along),
        Material.GRASS: np.clip(0.95 + 0.22 * lying + 0.08 * fine, 0.4, 1.6),
    }
    factor = np.empty(shape, dtype=np.float32)
    for kind, texture in factors.items():
        np.copyto(factor, texture, where=material == kind, casting="same_kind")
    return factor


def _on_ground(rng: np.random.Generator, across: np.ndarray, along: np.ndarray, cell: float) -> np.ndarray:
    """Noise that lies on the ground in grains of `cell` metres across and three times that along."""
    tile = rng.standard_normal((256, 256), dtype=np.float32)
    columns, rows = across / np.float32(cell), along / np.float32(cell * 3)
    return np.asarray(cv2.remap(tile, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP))


def _paving(rng: np.random.Generator, across: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Slabs of 0.6-1 m, each of its own tone, with dark joints."""
    slab = rng.uniform(0.6, 1.0)
    column, row = across / np.float32(slab), along / np.float32(slab)
    left, near = np.floor(column), np.floor(row)
    tile = 1 + np.float32(0.1) * rng.standard_normal((64, 64), dtype=np.float32)
    tone: np.ndarray = tile[near.astype(np.int32) & 63, left.astype(np.int32) & 63]
    tone[(column - left < 0.1) | (row - near < 0.1)] = 0.68
    return tone
