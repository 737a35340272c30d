"""Options of the method `triplet`."""

from __future__ import annotations

from typing import ClassVar, Literal

from repro.options import MethodOptions, PositiveFloat


class TripletOptions(MethodOptions):
    views_taken: ClassVar[tuple[int, int | None]] = (1, 1)
    needs_labels: ClassVar[bool] = True

    mining: Literal["random", "hard", "all"] = "random"
    """Which positive and negative an anchor meets: one of each at random, the farthest and the nearest, or all."""
    margin: PositiveFloat | None = 0.2
    """m in the hinge max(0, m + d(a, p) − d(a, n)); null: the soft margin log(1 + exp(d(a, p) − d(a, n)))."""
    normalised: bool = True
    """Whether the embeddings are brought to length 1."""
    squared: bool = False
    """Whether d is the squared Euclidean distance."""
