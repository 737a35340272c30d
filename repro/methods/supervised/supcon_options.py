"""Options of the method `supcon`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, PositiveFloat


class SupConOptions(MethodOptions):
    needs_labels: ClassVar[bool] = True
    temperature: PositiveFloat = 0.1
    """τ, by which cosines are divided."""
    base_temperature: PositiveFloat | None = None
    """Multiplies the loss by temperature / base_temperature, as the authors' code does."""
