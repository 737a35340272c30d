"""Options of the head `cosine`."""

from __future__ import annotations

from repro.options import HeadOptions


class CosineOptions(HeadOptions):
    @property
    def classifies(self) -> bool:
        return True
