"""Options of the method `nnclr`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import HeadSpec, MethodOptions, PositiveFloat, PositiveInt


class NNCLROptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    predictor: HeadSpec
    temperature: PositiveFloat = 0.1
    queue: PositiveInt = 98304
