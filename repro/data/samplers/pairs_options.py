"""Options of the sampler `pairs`."""

from __future__ import annotations

from typing import Literal

from repro.options.data import SamplerOptions


class PairsOptions(SamplerOptions):
    partner: Literal["any", "same", "other"] = "any"
    """Of which class a sample's partner is: of any, of the same, or of another one."""

    @property
    def group(self) -> tuple[int, ...]:
        return (2,)
