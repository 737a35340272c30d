"""Data sets of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from repro.data.table import Table


@dataclass(frozen=True, kw_only=True)
class ImageSet(Table):
    """Images (n, C, H, W) uint8 in the field `image`, with labels.

    `mean` and `std` are those of the training pixels, per channel, in 0..1. Images may also have sizes of their own
    and stay encoded (`repro.data.encoded.Encoded`) until they are needed; `shape` is then that of a view.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def images(self) -> Any:
        return self.fields["image"]

    @property
    def streamed(self) -> bool:
        """Whether the images stay encoded."""
        return not isinstance(self.images, Tensor)


def image_set(images: Any, labels: Tensor, shape: tuple[int, ...] | None = None, **facts: Any) -> ImageSet:
    """An ImageSet of images and labels (n,) int64; the shape is that of the images unless it is given."""
    return ImageSet(
        fields={"image": images, "label": labels}, shape=tuple(shape or images.shape[1:]), **facts
    )
