"""What a data set is to the code that uses it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self

from torch import Tensor

from repro.data.encoded import Encoded
from repro.data.fingerprint import Fingerprint
from repro.recipes.schema import Deviation


@dataclass(frozen=True)
class ImageSet:
    """One split of a data set: images (n, C, H, W) uint8 and labels (n,) int64, on the CPU.

    `mean` and `std` are those of the training pixels, per channel, in 0..1. `fingerprint` is None for
    generated data. `deviations` are what a record of a run has to say about the data.
    """

    images: Tensor
    labels: Tensor
    name: str
    split: str
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: Fingerprint | None = None
    deviations: list[Deviation] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.images)

    def having(self, **fields: Any) -> Self:
        """The same set with other images or labels. It loses its fingerprint, unless a new one is given."""
        return replace(self, **{"fingerprint": None, **fields})

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width


@dataclass(frozen=True)
class Streamed(ImageSet):
    """A split whose images have sizes of their own and stay encoded, in files, until they are needed.

    `view` (C, S, S) is the size at which networks see them. `images` are not a tensor, but have a length, give one
    image (C, H, W) uint8 for a number and a selection of them for a tensor of numbers.
    """

    images: Encoded  # type: ignore[assignment]
    view: tuple[int, int, int] = (3, 224, 224)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.view
