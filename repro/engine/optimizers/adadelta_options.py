"""Options of Adadelta."""

from __future__ import annotations

from repro.options import Optimizer


class AdadeltaOptions(Optimizer):
    pass
