"""Options of the method `spectral`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, PositiveFloat


class SpectralOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    mu: PositiveFloat = 1.0
    """μ; embeddings longer than √μ are scaled to that length, as in the authors' code."""
