"""Options of the method `supcon`."""

from __future__ import annotations

from repro.options import MethodOptions, PositiveFloat


class SupConOptions(MethodOptions):
    temperature: PositiveFloat = 0.1
    base_temperature: PositiveFloat | None = None
