"""Options of the method `kd`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, NonNegativeFloat, PositiveFloat


class KDOptions(MethodOptions):
    needs_labels: ClassVar[bool] = True

    temperature: PositiveFloat = 4.0
    """T, by which the logits of teacher and student are divided."""
    label_weight: NonNegativeFloat = 0.1
    """Weight of the cross-entropy with the labels (`-r` of the code)."""
    teacher_weight: NonNegativeFloat = 0.9
    """Weight of the divergence from the teacher (`-a` of the code)."""
