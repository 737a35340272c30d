"""A small convolutional network for digits: convolutions with pooling, then linear layers."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from repro.networks.cnn_options import CNNOptions


class CNN(nn.Module):
    """images (n, C, H, W) -> features (n, dim), dim the last of the `hidden` widths; torch's own initial weights.

    Each convolution keeps the size, and ReLU and 2×2 max-pooling follow it; ReLU also follows the linear layers.
    """

    Options = CNNOptions

    def __init__(self, options: Any, shape: tuple[int, ...]):
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((shape[0], *options.channels)):
            convolution = nn.Conv2d(inputs, outputs, options.kernel, padding=options.kernel // 2)
            layers += [convolution, nn.ReLU(), nn.MaxPool2d(2)]
        height, width = (side // 2 ** len(options.channels) for side in shape[1:])
        layers += [nn.Flatten(), *_dropout(options.dropout)]
        widths = (options.channels[-1] * height * width, *options.hidden)
        for number, (inputs, outputs) in enumerate(pairwise(widths), 1):
            layers.append(nn.Linear(inputs, outputs))
            layers += [nn.ReLU()] if options.activated or number < len(options.hidden) else []
            layers += _dropout(options.dropout)
        self.net = nn.Sequential(*layers)
        self.dim = options.hidden[-1]

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.net(images)
        return features


def _dropout(p: float) -> list[nn.Module]:
    return [nn.Dropout(p)] if p else []
