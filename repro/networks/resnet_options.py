"""Options of the backbone `resnet`."""

from __future__ import annotations

from typing import ClassVar, Literal

from repro.options import NetworkOptions, PositiveInt


class ResNetOptions(NetworkOptions):
    names: ClassVar[tuple[str, ...]] = ("resnet18", "resnet34", "resnet50")

    stem: Literal["imagenet", "cifar", "cifar-pool"] = "imagenet"
    """7×7 with stride 2 and pooling; `cifar`, for 32×32 images: 3×3 with stride 1; `cifar-pool`: and pooling."""
    stem_padding: PositiveInt | None = None
    """The padding in pixels of the 3×3 stem (default: 1; solo-learn has 2)."""
    zero_init_residual: bool = False
    """Whether the last BatchNorm of each block starts at 0, and so the block as the identity."""
    out: PositiveInt | None = None
    """The width of a linear map of the pooled features (default: none)."""
