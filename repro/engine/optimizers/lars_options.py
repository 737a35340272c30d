"""Options of LARS."""

from __future__ import annotations

from repro.options import Optimizer


class LARSOptions(Optimizer):
    pass
