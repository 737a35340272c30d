"""Options of the sampler `episodes`."""

from __future__ import annotations

from pydantic import PositiveInt

from repro.options.data import SamplerOptions


class EpisodesOptions(SamplerOptions):
    way: PositiveInt
    """Classes of an episode."""
    shots: PositiveInt
    """Support samples of each class."""
    queries: PositiveInt
    """Query samples of each class."""

    @property
    def group(self) -> tuple[int, ...]:
        return self.way, self.shots + self.queries
