"""Wide residual networks for 32×32 images, Zagoruyko and Komodakis 2016 (arXiv 1605.07146)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from repro.networks.wide_resnet_options import WideResNetOptions


class WideResNet(nn.Module):
    """images (n, C, H, W) -> features (n, 64 k) after global average pooling; WRN-d-k with pre-activation blocks.

    Where a block changes the width, its shortcut is a 1×1 convolution of the normalised input.
    """

    Options = WideResNetOptions

    def __init__(self, options: Any, shape: tuple[int, ...]):
        super().__init__()
        blocks = (options.depth - 4) // 6
        layers: list[nn.Module] = [nn.Conv2d(shape[0], 16, 3, padding=1, bias=False)]
        inputs = 16
        for stage in range(3):
            width = 16 * 2**stage * options.widen
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                layers.append(Block(inputs, width, stride, options.dropout))
                inputs = width
        layers += [nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        self.net, self.dim = nn.Sequential(*layers), inputs
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.net(images)
        return features


class Block(nn.Module):
    """Twice BatchNorm, ReLU and 3×3 convolution, and the shortcut around them."""

    def __init__(self, inputs: int, outputs: int, stride: int, dropout: float):
        super().__init__()
        self.first = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(inplace=True))
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout) if dropout else nn.Identity(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        )
        changes = inputs != outputs or stride != 1
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        active = self.first(x)
        kept = x if self.shortcut is None else self.shortcut(active)
        return kept + self.body(active)
