"""Options of the method `mae`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, PositiveInt, Probability


class MAEOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (1, 1)
    embeds: ClassVar[bool] = False
    mask: Probability = 0.75
    """Share of the patches that the encoder does not see."""
    width: PositiveInt = 512
    """Numbers in a token of the decoder."""
    depth: PositiveInt = 8
    """Blocks of the decoder."""
    heads: PositiveInt = 16
    """Heads of attention in a block of the decoder."""
    normalise: bool = True
    """Whether the pixels of a patch are to be predicted less their mean and over their standard deviation."""
