"""Options of the method `rotation`."""

from __future__ import annotations

from repro.options import MethodOptions


class RotationOptions(MethodOptions):
    pass
