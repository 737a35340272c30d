"""Options of the method `swav`."""

from __future__ import annotations

from typing import ClassVar

from repro.options import MethodOptions, NonNegativeInt, PositiveFloat, PositiveInt


class SwAVOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (2, 2)
    takes_local: ClassVar[bool] = True
    prototypes: PositiveInt = 3000
    """K, the number of prototypes."""
    temperature: PositiveFloat = 0.1
    """τ, by which the scores of the predictions are divided (eq. 2)."""
    epsilon: PositiveFloat = 0.05
    """ε, the smoothness of the codes (eq. 3)."""
    iterations: PositiveInt = 3
    """The iterations of the Sinkhorn–Knopp algorithm that makes the codes."""
    queue: NonNegativeInt = 0
    """The last embeddings of each global view that take part in the codes; 0 for none (section 3.1)."""
    queue_from_epoch: NonNegativeInt = 15
    """The epoch, counted from 0, from which embeddings are queued."""
    freeze_steps: NonNegativeInt = 0
    """The first steps, in which the prototypes are not trained."""
    learnt_scale: bool | None = None
    """Whether each prototype has a learnt length, by weight normalisation (default: length 1)."""
    bias: bool | None = None
    """Whether each prototype has a learnt bias (default: none)."""
