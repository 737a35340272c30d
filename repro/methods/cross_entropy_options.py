"""Options of the method `cross_entropy`."""

from __future__ import annotations

from repro.options import MethodOptions, Probability


class CrossEntropyOptions(MethodOptions):
    label_smoothing: Probability = 0.0
