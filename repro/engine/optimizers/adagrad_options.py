"""Options of Adagrad."""

from __future__ import annotations

from repro.options import Optimizer


class AdagradOptions(Optimizer):
    pass
