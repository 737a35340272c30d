"""Options of the sampler `shuffled`."""

from __future__ import annotations

from repro.options.data import SamplerOptions


class ShuffledOptions(SamplerOptions):
    pass
