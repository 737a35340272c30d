"""The small AlexNet of Wang and Isola 2020 (arXiv 2005.10242), SsnL/align_uniform at e256d47."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.networks.small_alexnet_options import SmallAlexNetOptions


class SmallAlexNet(nn.Module):
    """images (n, C, H, W) -> the activations (n, 4096) of the second fully connected layer.

    3×3 convolutions with BatchNorm, 96, 192, 384, 384 and 192 channels wide, max-pooling of 3 pixels with stride
    2 after the first, the second and the last; two layers of 4096 with BatchNorm. Weights ~ N(0, 0.02²).
    """

    Options = SmallAlexNetOptions

    def __init__(self, options: Any, shape: tuple[int, ...]):
        super().__init__()
        convolutions: list[nn.Module] = []
        inputs = shape[0]
        for width, pooled in ((96, True), (192, True), (384, False), (384, False), (192, True)):
            convolutions += _normed(nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
            convolutions += [nn.MaxPool2d(3, 2)] if pooled else []
            inputs = width
        self.convolutions = nn.Sequential(*convolutions, nn.Flatten())
        with torch.no_grad():
            flat = self.convolutions.eval()(torch.zeros(1, *shape)).shape[1]
        self.dim = 4096
        layers = [
            _normed(nn.Linear(n, self.dim, bias=False), nn.BatchNorm1d(self.dim)) for n in (flat, self.dim)
        ]
        self.full = nn.Sequential(*(part for layer in layers for part in layer))
        self.train()
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight, std=0.02)

    def forward(self, images: Tensor) -> Tensor:
        return self.full(self.convolutions(images))


def _normed(weights: nn.Module, norm: nn.Module) -> list[nn.Module]:
    return [weights, norm, nn.ReLU(inplace=True)]
