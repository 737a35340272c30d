"""Options of the backbone `resnet`."""

from __future__ import annotations

from typing import ClassVar, Literal

from repro.options import NetworkOptions, PositiveInt


class ResNetOptions(NetworkOptions):
    names: ClassVar[tuple[str, ...]] = ("resnet18", "resnet34", "resnet50")

    stem: Literal["imagenet", "cifar", "cifar-pool"] = "imagenet"
    stem_padding: PositiveInt | None = None
    zero_init_residual: bool = False
