"""From a point of a synthetic street to its pixel in the picture.

Street coordinates are (across, up, along) in metres: the camera stands at across = along = 0, positive
across is to its right, up is above the ground. A bent road bends everything that stands beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

NEAR = 1.5  # metres; nearer points are moved here, which is outside every picture
FAR = 400.0  # metres; the ground ends here


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A pinhole camera over flat ground.

    Attributes:
        height: Rows of the picture.
        width: Columns of the picture.
        focal: Focal length in pixels.
        eye: Height above the ground in metres.
        row: Row of the vanishing point of a straight road.
        column: Column of that point.
        bend: Sideways drift of the road in 1/metre: at distance z it lies bend * z**2 to the right.
        roll: Rotation about the vanishing point in radians.
    """

    height: int
    width: int
    focal: float
    eye: float
    row: float
    column: float
    bend: float
    roll: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixel (column, row) of each street point: (..., 3) metres -> (..., 2)."""
        along = np.maximum(points[..., 2], NEAR)
        x = self.focal * (points[..., 0] / along + self.bend * along)
        y = self.focal * (self.eye - points[..., 1]) / along
        cos, sin = math.cos(self.roll), math.sin(self.roll)
        pixels = np.empty((*along.shape, 2))
        pixels[..., 0] = self.column + cos * x - sin * y
        pixels[..., 1] = self.row + sin * x + cos * y
        return pixels

    def ground(self) -> tuple[np.ndarray, np.ndarray]:
        """Ground point behind each pixel: (across, along), float32 (H, W) in metres; FAR from the horizon up."""
        x = np.arange(self.width, dtype=np.float32)[None] - np.float32(self.column)
        y = np.arange(self.height, dtype=np.float32)[:, None] - np.float32(self.row)
        cos, sin = np.float32(np.cos(self.roll)), np.float32(np.sin(self.roll))
        below = np.maximum(cos * y - sin * x, np.float32(self.focal * self.eye / FAR))
        along = np.float32(self.focal * self.eye) / below
        across = (cos * x + sin * y) * along / np.float32(self.focal) - np.float32(self.bend) * along**2
        return across, along


def draw_camera(rng: np.random.Generator, height: int, width: int) -> Camera:
    """A camera as behind the windscreen of a van; the vanishing point varies widely."""
    return Camera(
        height=height,
        width=width,
        focal=height * rng.uniform(1.6, 2.1),
        eye=rng.uniform(1.5, 2.1),
        row=height * rng.uniform(0.38, 0.54),
        column=width * rng.uniform(0.33, 0.67),
        bend=rng.normal(0.0, 0.001),
        roll=rng.normal(0.0, 0.02),
    )


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Where a thing stands on the ground and which way it looks.

    Attributes:
        across: Street coordinate of its middle, metres.
        along: Street coordinate of its middle, metres.
        heading: Radians; 0 looks away from the camera, pi at it, pi / 2 to the right.
    """

    across: float
    along: float
    heading: float = 0.0

    def place(self, local: np.ndarray) -> np.ndarray:
        """Street points of local (right, up, forward) points, both (..., 3) in metres."""
        cos, sin = math.cos(self.heading), math.sin(self.heading)
        right, forward = local[..., 0], local[..., 2]
        points = local.astype(np.float64)
        points[..., 0] = self.across + right * cos + forward * sin
        points[..., 2] = self.along - right * sin + forward * cos
        return points
