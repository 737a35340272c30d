"""Options of the head `linear`."""

from __future__ import annotations

from repro.options import HeadOptions, PositiveInt


class LinearOptions(HeadOptions):
    out: PositiveInt | None = None
    """The width of the output (default: the number of classes)."""

    @property
    def classifies(self) -> bool:
        return self.out is None
