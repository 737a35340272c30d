"""Options of the method `msn`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, Momentum, NonNegativeFloat, PositiveFloat, PositiveInt, Probability


class MSNOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, None)
    takes_local: ClassVar[bool] = True
    prototypes: PositiveInt = 1024
    """How many learnt prototypes there are, K."""
    temperature: PositiveFloat = 0.1
    """Of the softmax over prototypes, τ."""
    sharpening: PositiveFloat = 0.25
    """The temperature that sharpens targets, T."""
    mask: Probability = 0.15
    """Share of the patches of an anchor view that the encoder does not see; local views are seen whole."""
    entropy: NonNegativeFloat = 1.0
    """The weight of the entropy of the mean prediction, λ."""
    sinkhorn: bool = False
    """Whether targets also use all prototypes alike, by three iterations over the batch, as in the authors' code."""
    momentum: Momentum = Momentum(start=0.996, end=1.0)
    """Of the encoder that sees target views."""
