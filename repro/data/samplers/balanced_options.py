"""Options of the sampler `balanced`."""

from __future__ import annotations

from repro.options.data import SamplerOptions


class BalancedOptions(SamplerOptions):
    pass
