"""Options of the method `laf`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, PositiveFloat


class LAFOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (1, 1)
    embeds: ClassVar[bool] = False
    temperature: PositiveFloat = 20.0
    """τ, by which the changes of forgotten samples are divided."""
