"""Options of AdamW."""

from __future__ import annotations

from repro.options import Optimizer


class AdamWOptions(Optimizer):
    pass
