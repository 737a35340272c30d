"""Options of the method `deep_infomax`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, NonNegativeFloat, PositiveInt


class DeepInfoMaxOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (1, 1)

    hidden: PositiveInt = 256
    """Units of the local discriminator's two hidden layers."""
    local_weight: NonNegativeFloat = 1.0
    """β of the local objective."""
    prior_weight: NonNegativeFloat = 0.1
    """γ of the comparison with uniform features."""
