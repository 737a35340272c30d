"""Options of the stage `self_distillation_probe`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Collection, Field, PositiveFloat, PositiveInt, Probability, StageOptions


class SelfDistillationProbeOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    splits: ClassVar[tuple[str, ...]] = ("train", "test")

    train: PositiveInt = 2000
    """The number of random training images."""
    corruption: Probability = 0.5
    """The share of the training labels that is wrong."""
    decay: PositiveFloat
    """The weight of ‖W‖²/2."""
    xi: Annotated[tuple[PositiveFloat, ...], Field(min_length=2)] = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0)
    """ξ, the weights of the teacher's probabilities in the student's targets."""
    iterations: PositiveInt = 500
    """The most iterations of L-BFGS."""

    @property
    def metrics(self) -> Collection[str]:
        at_xi = [f"xi_{xi:g}".replace(".", "_") for xi in (0, *self.xi)]
        return [*at_xi, "up_to_one", "above_one", "best_xi"]
