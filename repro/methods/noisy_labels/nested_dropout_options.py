"""Options of the method `nested_dropout`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, PositiveFloat, PositiveInt


class NestedDropoutOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (1, 1)
    needs_labels: ClassVar[bool] = True
    sigma: PositiveFloat
    """How many features are kept, about: the width σ of the distribution of their number."""
    keep: PositiveInt
    """How many features the network that is left to later stages uses, the first ones."""
