"""Options of the method `laf_vae`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, NonNegativeFloat


class LAFVAEOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (1, 1)
    embeds: ClassVar[bool] = False
    divergence_weight: NonNegativeFloat = 0.025
    """The weight of the divergence of the latent variables beside the squared error."""
