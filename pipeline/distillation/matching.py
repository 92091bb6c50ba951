"""How far a student's feature maps are from a teacher's: which are compared, on which grid, and by which loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from foveate.pipeline.errors import ConfigError

COSINE, DISTANCE = 0.9, 0.1  # weights of the two parts of the loss
ALIKE = 1.3  # largest ratio of two strides that count as the same, such as 14 and 16
LEAST_STD = 1e-3  # as a share of the mean standard deviation of the channels; a channel that never changes stays small


class Shape(NamedTuple):
    """Number of channels and stride of a feature map."""

    channels: int
    stride: float


class Pair(NamedTuple):
    """Numbers of two feature maps that are compared, each among its encoder's."""

    student: int
    teacher: int


class Agreement(NamedTuple):
    """The loss, and the mean cosine similarity of student and teacher, from -1 to 1."""

    loss: Tensor
    cosine: Tensor


def feature_maps(encoder: nn.Module, images: Float[Tensor, "B I H W"]) -> list[Tensor]:
    """Feature maps (B, C, h, w) of an encoder; one vector for each image counts as a map of one position.

    Args:
        encoder: Gives a tensor, or several, finest first.
        images: Normalised images.

    Raises:
        ConfigError: It gives something else.
    """
    given = encoder(images)
    features = [given] if isinstance(given, Tensor) else list(given)
    maps = [one[:, :, None, None] if one.ndim == 2 else one for one in features]
    if not maps or any(one.ndim != 4 for one in maps):
        raise ConfigError(f"{type(encoder).__name__} gives no feature maps, only {[tuple(f.shape) for f in features]}")
    return maps


def shapes_of(encoder: nn.Module, side: int) -> list[Shape]:
    """Channels and strides of an encoder's feature maps, found with a blank image.

    Args:
        encoder: The encoder; it is left as it was.
        side: Of the square images that are trained on, in pixels.
    """
    modes = [(module, module.training) for module in encoder.modules()]
    with torch.no_grad():
        blank = torch.zeros(1, 3, side, side, device=next(encoder.parameters()).device)
        maps = feature_maps(encoder.eval(), blank)
    for module, training in modes:
        module.training = training
    return [Shape(one.shape[1], side / one.shape[2]) for one in maps]


def pair_up(student: Sequence[Shape], teacher: Sequence[Shape]) -> list[Pair]:
    """Each of the student's feature maps with the teacher's last one of the same stride, where there is one.

    The student's last feature map always has a partner: without one of its stride, the one with the closest stride.

    Args:
        student: Feature maps of the student, finest first.
        teacher: Feature maps of the teacher, finest first.

    Example:
        >>> pyramid = [Shape(32, 4), Shape(64, 8), Shape(160, 16), Shape(256, 32)]
        >>> pair_up(pyramid, [Shape(384, 14), Shape(384, 14)])  # a ViT
        [Pair(student=2, teacher=1), Pair(student=3, teacher=1)]
    """
    pairs = []
    for number, shape in enumerate(student):
        ratios = [max(shape.stride / other.stride, other.stride / shape.stride) for other in teacher]
        closest = min(range(len(teacher)), key=lambda place, ratios=ratios: (round(ratios[place], 6), -place))  # type: ignore[misc]
        if ratios[closest] <= ALIKE or number == len(student) - 1:
            pairs.append(Pair(number, closest))
    return pairs


class FeatureMatch(nn.Module):
    """Compares feature maps: a 1 x 1 convolution from the student's to each of the teacher's that it is paired with.

    The teacher's channels are standardised by mean and standard deviation over some images first, so that a few large
    channels do not decide the loss. Both are averaged over the coarser of the two grids. The loss is 0.9 times the
    cosine distance and 0.1 times the smooth L1 distance, over positions and pairs.

    Args:
        student: Feature maps of the student.
        teacher: Feature maps of the teacher.

    Source:
        Romero et al. 2015, FitNets (arXiv:1412.6550): a learned layer from the student's to the teacher's features.
        Ranzinger et al. 2024, AM-RADIO, section 3.4 (arXiv:2312.06709): the two distances and their weights.
        Shang et al. 2024, Theia (arXiv:2407.20179): standardised channels of the teacher.
    """

    def __init__(self, student: Sequence[Shape], teacher: Sequence[Shape]) -> None:
        super().__init__()
        self.pairs = pair_up(student, teacher)
        self.heads = nn.ModuleList(
            nn.Conv2d(student[pair.student].channels, teacher[pair.teacher].channels, 1) for pair in self.pairs
        )
        for number in sorted({pair.teacher for pair in self.pairs}):
            channels = teacher[number].channels
            self.register_buffer(f"mean{number}", torch.zeros(channels, 1, 1))
            self.register_buffer(f"std{number}", torch.ones(channels, 1, 1))

    def standardise(self, batches: Sequence[Sequence[Tensor]]) -> None:
        """Take mean and standard deviation of each channel of the teacher.

        Args:
            batches: The teacher's feature maps of some batches of images.
        """
        for number in {pair.teacher for pair in self.pairs}:
            values = torch.cat([maps[number].float().movedim(1, 0).flatten(1) for maps in batches], 1)
            std = values.std(1, correction=0)
            self.get_buffer(f"mean{number}").copy_(values.mean(1)[:, None, None])
            self.get_buffer(f"std{number}").copy_(std.clamp_min(LEAST_STD * float(std.mean()) + 1e-12)[:, None, None])

    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Agreement:
        """The loss and the similarity of the two encoders' feature maps.

        Args:
            student: All feature maps of the student.
            teacher: All feature maps of the teacher.
        """
        losses, cosines = [], []
        for pair, head in zip(self.pairs, self.heads, strict=True):
            ours, theirs = head(student[pair.student]), teacher[pair.teacher].float()
            theirs = (theirs - self.get_buffer(f"mean{pair.teacher}")) / self.get_buffer(f"std{pair.teacher}")
            grid = tuple(map(min, ours.shape[2:], theirs.shape[2:]))
            ours, theirs = (F.adaptive_avg_pool2d(one, grid) for one in (ours.float(), theirs))
            cosine = F.cosine_similarity(ours, theirs, dim=1).mean()
            losses.append(COSINE * (1 - cosine) + DISTANCE * F.smooth_l1_loss(ours, theirs))
            cosines.append(cosine)
        return Agreement(torch.stack(losses).mean(), torch.stack(cosines).mean())
