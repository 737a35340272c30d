"""Options of stochastic gradient descent."""

from __future__ import annotations

from repro.options import Optimizer


class SGDOptions(Optimizer):
    pass
