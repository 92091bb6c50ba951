"""An encoder, a decoder, a loss and a metric in one file: foveate fit ... --plugins my_parts."""

import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

from foveate.plugins import Decoder, Encoder, Loss, Metric, hookimpl


class Tiny(nn.Module):
    """Two convolutions that halve height and width; feature maps at strides 2 and 4."""

    channels, strides = (16, 32), (2, 4)

    def __init__(self, in_channels):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(in_channels, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU())

    def forward(self, image):
        fine = self.first(image)
        return fine, self.second(fine)


class Linear(nn.Module):
    """A 1 x 1 convolution of the coarsest feature map."""

    def __init__(self, channels, stride, num_classes):
        super().__init__()
        self.stride = stride
        self.classify = nn.Conv2d(channels, num_classes, 1)

    def forward(self, features):
        return self.classify(features[-1])


class Brier(nn.Module):
    """Squared distance between probabilities and the one-hot label, averaged over labelled pixels."""

    def forward(self, logits, labels):
        valid = labels != 255
        right = torch.where(valid, labels, 0).long()
        one_hot = nn.functional.one_hot(right, logits.shape[1]).movedim(-1, 1)
        each = (logits.softmax(1) - one_hot).square().sum(1)
        return (each * valid).sum() / valid.sum().clamp(min=1)


@hookimpl
def foveate_encoders():
    yield Encoder(
        name="tiny", summary="Two convolutions", build=lambda name, *, in_channels=3, attention=None: Tiny(in_channels)
    )


@hookimpl
def foveate_decoders():
    def build(name, *, in_channels, strides, num_classes, attention=None):
        return Linear(in_channels[-1], strides[-1], num_classes)

    yield Decoder(name="linear", summary="A 1 x 1 convolution", build=build)


@hookimpl
def foveate_losses():
    yield Loss(name="brier", summary="Squared error of the class probabilities", build=lambda num_classes: Brier())


@hookimpl
def foveate_metrics():
    def build(num_classes, top_k=2):
        return MulticlassAccuracy(num_classes, top_k=top_k, average="micro", ignore_index=255, validate_args=False)

    yield Metric(name="top2", summary="The right class is among the two most probable", build=build)
