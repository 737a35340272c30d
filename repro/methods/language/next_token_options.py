"""Options of language modelling."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions


class NextTokenOptions(MethodOptions):
    """Language modelling has none."""

    views_taken: ClassVar[tuple[int, int | None]] = (1, 1)
    embeds: ClassVar[bool] = False
