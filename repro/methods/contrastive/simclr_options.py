"""Options of the method `simclr`."""

from __future__ import annotations

from typing import ClassVar, Literal

from repro.options import MethodOptions, PositiveFloat


class SimCLROptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    temperature: PositiveFloat = 0.5
    """τ, by which cosines are divided."""
    base_temperature: PositiveFloat | None = None
    """Multiplies the loss by temperature / base_temperature, as the SupContrast code does."""
    mean: Literal["probability"] | None = None
    """Of what the mean over views is taken: of −log p (default), or of p, whose −log is then the loss."""
