"""Options of the sampler `classes`."""

from __future__ import annotations

from pydantic import PositiveInt

from repro.options.data import SamplerOptions


class ClassesOptions(SamplerOptions):
    each: PositiveInt
    """Samples of each class in a batch (K of P×K)."""

    @property
    def group(self) -> tuple[int, ...]:
        return (self.each,)
