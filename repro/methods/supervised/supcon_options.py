"""Options of the method `supcon`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, PositiveFloat


class SupConOptions(MethodOptions):
    needs_labels: ClassVar[bool] = True
    temperature: PositiveFloat = 0.1
    base_temperature: PositiveFloat | None = None
