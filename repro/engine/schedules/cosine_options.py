"""Options of the schedule `cosine`."""

from __future__ import annotations

from repro.options import Schedule


class CosineOptions(Schedule):
    pass
