"""Options of the method `crd`."""

from __future__ import annotations

from repro.methods.distillation.kd_options import KDOptions
from repro.options import NonNegativeFloat, PositiveFloat, PositiveInt, Probability


class CRDOptions(KDOptions):
    label_weight: NonNegativeFloat = 1.0
    """Weight of the cross-entropy with the labels (`-r` of the code)."""
    teacher_weight: NonNegativeFloat = 0.0
    """Weight of the divergence from the teacher's probabilities (`-a` of the code)."""
    contrast_weight: NonNegativeFloat = 0.8
    """Weight β of the contrastive loss (`-b` of the code)."""
    dim: PositiveInt = 128
    """Dimensions of the space into which both features are mapped."""
    negatives: PositiveInt = 16384
    """N, the stored samples of other classes that an anchor meets."""
    contrast_temperature: PositiveFloat = 0.07
    """τ, by which cosines are divided."""
    bank_momentum: Probability = 0.5
    """Share that a row of a bank keeps when it is renewed."""
