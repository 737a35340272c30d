"""Options of Adam."""

from __future__ import annotations

from repro.options import Optimizer


class AdamOptions(Optimizer):
    pass
