"""Options of the method `vat`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, NonNegativeFloat, PositiveFloat, PositiveInt


class VATOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (1, 1)
    needs_labels: ClassVar[bool] = True
    epsilon: PositiveFloat
    """The length of the perturbation, ε, in the unit of the network's input."""
    xi: PositiveFloat = 1e-3
    """The length of the step from which a second derivative is estimated, ξ (the paper's 1e-6 drowns in rounding)."""
    iterations: PositiveInt = 1
    """Power iterations, K."""
    weight: NonNegativeFloat = 1.0
    """The weight of the smoothness, α."""
    entropy: NonNegativeFloat = 0.0
    """The weight of the entropy of what is said of unlabelled images (1: VAT+EntMin)."""
