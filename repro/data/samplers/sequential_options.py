"""Options of the sampler `sequential`."""

from __future__ import annotations

from repro.options.data import SamplerOptions


class SequentialOptions(SamplerOptions):
    pass
