"""ResNets of He et al. 2016 (arXiv 1512.03385), from torchvision's blocks."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.models.resnet import ResNet as TorchvisionResNet

from repro.networks.resnet_options import ResNetOptions

_LAYERS: dict[str, tuple[type[BasicBlock | Bottleneck], list[int]]] = {
    "resnet18": (BasicBlock, [2, 2, 2, 2]),
    "resnet34": (BasicBlock, [3, 4, 6, 3]),
    "resnet50": (Bottleneck, [3, 4, 6, 3]),
}


class ResNet(nn.Module):
    """images (n, C, H, W) -> features (n, dim) after global average pooling; dim is 512, 2048, or that of `out`."""

    Options = ResNetOptions

    def __init__(self, options: Any, shape: tuple[int, ...]):
        super().__init__()
        block, layers = _LAYERS[options.backbone]
        self.net = TorchvisionResNet(block, layers, zero_init_residual=options.zero_init_residual)
        pooled = 512 * block.expansion
        self.dim = options.out or pooled
        self.net.fc = nn.Linear(pooled, options.out) if options.out else nn.Identity()
        stem = self.net.conv1
        if options.stem != "imagenet":
            self.net.maxpool = nn.Identity() if options.stem == "cifar" else self.net.maxpool
            stem = nn.Conv2d(shape[0], 64, 3, stride=1, padding=options.stem_padding or 1, bias=False)
        elif shape[0] != stem.in_channels:
            stem = nn.Conv2d(shape[0], 64, kernel_size=7, stride=2, padding=3, bias=False)
        if stem is not self.net.conv1:
            nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
            self.net.conv1 = stem

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images)
