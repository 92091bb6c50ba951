"""Images of a made-up population whose scores are known: skewed sizes, classes that are rare, hard and easy images."""

from __future__ import annotations

import numpy as np

COMMON = (1.0, 0.9, 0.8, 0.7, 0.6)
RARE = (1.0, 0.9, 0.6, 0.25, 0.08)
SIZES = np.array([50, 20, 10, 3, 1.0])
EASE = np.array([3, 2, 1.5, 1, 0.5])


def draw_images(
    random: np.random.Generator, count: int, occurs: tuple[float, ...] = COMMON, gains: tuple[object, ...] = (0.0,)
) -> list[np.ndarray]:
    """Right, labelled and predicted pixels (count, 15) of the same images under models with these gains.

    Args:
        random: Of the draw.
        count: How many images.
        occurs: How often each of five classes occurs in an image.
        gains: Of each model, on a logistic scale; 0 for all gives models of equal worth.
    """
    here = random.random((count, 5)) < np.array(occurs)
    area = np.exp(random.normal(0, 1.2, (count, 5))) * SIZES * here
    area = np.round(1e5 * area / area.sum(1, keepdims=True))
    hard = random.normal(0, 1, (count, 1))
    models = []
    for gain in gains:
        ease = EASE + gain + 0.8 * hard + 0.8 * random.normal(0, 1, (count, 5))
        right = np.floor(area / (1 + np.exp(-ease)))
        share = random.dirichlet(np.full(5, 0.7), count) * here + 1e-9
        wrong = np.floor((area - right).sum(1, keepdims=True) * share / share.sum(1, keepdims=True))
        models.append(np.concatenate([right, area, right + wrong], axis=1))
    return models


def truth_of(occurs: tuple[float, ...], images: int = 200_000) -> np.ndarray:
    """IoU of each class over so many images that chance plays no part."""
    right, labelled, predicted = np.split(draw_images(np.random.default_rng(0), images, occurs)[0].sum(0), 3)
    return right / (labelled + predicted - right)
