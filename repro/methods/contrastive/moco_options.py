"""Options of the method `moco`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, Momentum, PositiveFloat, PositiveInt


class MoCoOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    temperature: PositiveFloat = 0.2
    """τ, by which cosines are divided."""
    queue: PositiveInt = 65536
    """K, the number of keys in the queue."""
    momentum: Momentum = Momentum(start=0.999)
    """m, the EMA decay of the momentum encoder (eq. 2)."""
    symmetric: bool = False
    """Whether each view is both query and key."""
    second_sees_first: bool | None = None
    """Whether the keys of one direction enter the queue before the other direction asks it."""
    scale: PositiveFloat | None = None
    """A factor on the loss; codes that add both directions have 2 (default: 1)."""
    shuffle: bool | None = None
    """Whether keys are made over the batch in another order, for other BatchNorm groups (section 3.3)."""
