"""Options of the method `dino`."""

from __future__ import annotations

from typing import ClassVar, Literal

from repro.options import MethodOptions, Momentum, NonNegativeInt, PositiveFloat, PositiveInt, Probability


class DINOOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    takes_local: ClassVar[bool] = True
    prototypes: PositiveInt = 65536
    """K, the number of outputs of the last layer."""
    student_temperature: PositiveFloat = 0.1
    """τ_s of the student's softmax."""
    teacher_temperature: PositiveFloat = 0.04
    """τ_t of the teacher's softmax, after its warm-up."""
    teacher_start: PositiveFloat | None = None
    """τ_t in the first epoch, from where it goes linearly (default: no warm-up)."""
    teacher_warmup_epochs: NonNegativeInt = 0
    """The epochs until τ_t is `teacher_temperature`."""
    centre_momentum: Probability = 0.9
    """m, the EMA decay of the centre of the teacher's outputs (eq. 4)."""
    momentum: Momentum = Momentum(start=0.996, end=1.0)
    """λ, the EMA decay of the teacher (section 3.1)."""
    freeze_epochs: NonNegativeInt = 1
    """The epochs in which the last layer is not trained."""
    leaves: Literal["student", "teacher"] | None = None
    """Whose encoder and head later stages get (default: the student's)."""
