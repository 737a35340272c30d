"""Options of the backbone `resnet_cifar`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import NetworkOptions, PositiveInt


class SmallResNetOptions(NetworkOptions):
    names: ClassVar[tuple[str, ...]] = (
        "resnet8",
        "resnet14",
        "resnet20",
        "resnet32",
        "resnet44",
        "resnet56",
        "resnet110",
    )

    width: PositiveInt = 16
    """The channels of the first stage; the others have 2 and 4 times as many."""
    stride: PositiveInt = 1
    """The stem's stride, 1 in the paper; 2 makes the network four times cheaper."""
    stem_width: PositiveInt | None = None
    """Channels of the stem (default: `width`); 32 with a `width` of 64 is "×4" in the distillation literature."""
