"""The four-block convolutional network of few-shot learning, Vinyals et al. 2016 (arXiv 1606.04080), section 4.1."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from repro.networks.conv4_options import Conv4Options


class Conv4(nn.Module):
    """images (n, C, H, W) -> features (n, dim): four times 3×3 convolution, BatchNorm, ReLU and pooling.

    `local` gives what the first block makes of every place, before it is pooled, and `rest` the features from there:
    `forward` is one after the other. The convolutions have no bias, which BatchNorm would take away, and weights as
    in He et al. 2015, by fan-out.
    """

    Options = Conv4Options

    def __init__(self, options: Any, shape: tuple[int, ...]):
        super().__init__()
        pool: Any = nn.MaxPool2d if options.pool == "max" else nn.AvgPool2d
        blocks = [_block(*widths) for widths in pairwise((shape[0], *options.widths))]
        self.local = blocks[0]
        last = nn.AdaptiveAvgPool2d(1) if options.last == "global" else pool(2)
        self.rest = nn.Sequential(
            pool(2), blocks[1], pool(2), blocks[2], pool(2), blocks[3], last, nn.Flatten()
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        places = 1 if options.last == "global" else (shape[1] // 16) * (shape[2] // 16)
        self.local_dim, self.dim = options.widths[0], options.widths[-1] * places

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.rest(self.local(images))
        return features


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )
