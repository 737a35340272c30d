"""Options of the stage `clica_box`."""

from __future__ import annotations

from typing import ClassVar

from repro.experiments.contrastive.clica_options import ClicaOptions
from repro.options import PositiveFloat


class ClicaBoxOptions(ClicaOptions):
    precision: ClassVar[str | None] = "fp32"
    metrics: ClassVar[tuple[str, ...]] = ("mcc", "raw_mcc", "r2")
    spread: PositiveFloat = 0.05
    """λ, the scale of the Laplace distribution of the positive, in units of the box's side."""
