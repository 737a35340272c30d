"""Options of the method `fixmatch`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, NonNegativeFloat, PositiveFloat, Probability


class FixMatchOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (1, 1)
    needs_labels: ClassVar[bool] = True
    threshold: Probability = 0.95
    """How sure a prediction must be to become a target, τ."""
    weight: NonNegativeFloat = 1.0
    """The weight of the loss on unlabelled images, λ_u."""
    temperature: PositiveFloat | None = None
    """That of the softmax which sharpens targets (UDA's τ); by default they are the likeliest class alone."""
    decay: Probability | None = None
    """Of the moving average of the weights, which is then the result."""
