"""The small ResNets for 32×32 images, He et al. 2016 (arXiv 1512.03385), section 4.2."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from repro.networks.resnet_cifar_options import SmallResNetOptions


class SmallResNet(nn.Module):
    """images (n, C, H, W) -> features (n, 4 · width) after global average pooling.

    A 3×3 stem and three stages of n blocks, 6n + 2 layers, `width`, 2 · `width` and 4 · `width` channels wide.
    Where a stage changes size or width, the shortcut is a projection (option B of the paper).
    """

    Options = SmallResNetOptions

    def __init__(self, options: Any, shape: tuple[int, ...]):
        super().__init__()
        width, blocks = options.width, (int(options.backbone.removeprefix("resnet")) - 2) // 6
        first = options.stem_width or width
        stem = nn.Conv2d(shape[0], first, 3, options.stride, padding=1, bias=False)
        layers: list[nn.Module] = [stem, nn.BatchNorm2d(first), nn.ReLU(inplace=True)]
        for stage in range(3):
            out = width * 2**stage
            layers += [_block(first if stage == 0 else out // 2, out, stride=1 if stage == 0 else 2)]
            layers += [_block(out, out, stride=1) for _ in range(blocks - 1)]
        self.net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.dim = 4 * width
        for layer in self.net.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images)


def _block(inputs: int, outputs: int, stride: int) -> BasicBlock:
    if stride == 1 and inputs == outputs:
        return BasicBlock(inputs, outputs)
    shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
    return BasicBlock(inputs, outputs, stride, shortcut)
