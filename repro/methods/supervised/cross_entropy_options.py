"""Options of the method `cross_entropy`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, Probability


class CrossEntropyOptions(MethodOptions):
    needs_labels: ClassVar[bool] = True
    label_smoothing: Probability = 0.0
    """The share of the target that is spread evenly over all classes."""
