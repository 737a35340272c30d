"""Options of the backbone `vit`."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from repro.options import NetworkOptions, PositiveInt


class ViTOptions(NetworkOptions):
    fixed: ClassVar[tuple[str, ...]] = ("width",)  # it belongs to the heads
    patch: PositiveInt
    """The side of a patch in pixels."""
    width: PositiveInt
    """Numbers in a token."""
    depth: PositiveInt
    """Blocks."""
    heads: PositiveInt
    """Heads of attention in a block."""
    pool: Literal["class", "mean"] = "class"
    """Which token the features are: the class token, or the mean of those of the patches."""

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.width % 4 or self.width % self.heads:
            raise ValueError("the `width` must be a multiple of 4 and of the number of `heads`")
        return self
