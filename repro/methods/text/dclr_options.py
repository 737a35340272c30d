"""Options of DCLR."""

from __future__ import annotations

from repro.methods.text.simcse_options import SimCSEOptions
from repro.options import NonNegativeInt, PositiveFloat, PositiveInt, Probability


class DCLROptions(SimCSEOptions):
    """DCLR with BERT-base, as in RUCAIBox/DCLR."""

    threshold: Probability = 0.9
    """φ: sentences that the teacher finds at least so similar are no negatives of each other."""
    noise: PositiveInt = 1
    """Negatives made of noise, for each sentence of the batch."""
    ascents: NonNegativeInt = 4
    """Steps that make the noise harder."""
    ascent: PositiveFloat = 1e-3
    """The length of such a step."""
