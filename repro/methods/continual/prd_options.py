"""Options of the method `prd`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import (
    HeadSpec,
    MethodOptions,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)


class PRDOptions(MethodOptions):
    needs_labels: ClassVar[bool] = True
    projection: HeadSpec
    """From features to where samples are contrasted."""
    tasks: PositiveInt
    """Into how many tasks the classes are divided, in their order and in equal parts."""
    task: NonNegativeInt
    """The number of the current task, from 0."""
    temperature: PositiveFloat = 0.1
    """τ of the supervised contrast."""
    base_temperature: PositiveFloat | None = None
    """Multiplies the contrast by temperature / base_temperature, as the authors' code does."""
    prototype_weight: NonNegativeFloat = 2.0
    """The weight α of the prototypes' loss."""
    prototype_lr: PositiveFloat = 0.01
    """The learning rate of the prototypes, which have no momentum and no weight decay."""
    distill_weight: NonNegativeFloat = 4.0
    """The weight β of the distillation."""
    distill_temperature: PositiveFloat = 1.0
    """The temperature of both softmaxes of the distillation."""
