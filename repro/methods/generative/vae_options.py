"""Options of the method `vae`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import HeadSpec, MethodOptions, PositiveFloat


class VAEOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (1, 1)
    embeds: ClassVar[bool] = False
    decoder: HeadSpec
    """From latent variables to the logits of all pixels."""
    initial_sd: PositiveFloat | None = None
    """The standard deviation of all parameters at the start (default: torch's own)."""
