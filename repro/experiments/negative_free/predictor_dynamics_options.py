"""Options of the stage `predictor_dynamics`."""

from __future__ import annotations

from typing import ClassVar, Literal

from repro.options import NonNegativeFloat, PositiveFloat, PositiveInt, StageOptions


class PredictorDynamicsOptions(StageOptions):
    precision: ClassVar[str | None] = "fp64"
    trains: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = (
        "decay",
        "norm",
        "top",
        "collapsed",
        "commutator",
        "commutator_start",
    )
    dim: PositiveInt = 10
    """d, the dimension of inputs and embeddings."""
    noise: NonNegativeFloat = 0.5
    """The variance of the augmentation's noise."""
    weight_decay: NonNegativeFloat = 0.05
    """η, the weight decay of both layers."""
    predictor_rate: PositiveFloat = 1.0
    """α, the predictor's learning rate over the encoder's."""
    variant: Literal["stop_gradient", "gradient", "no_predictor"] = "stop_gradient"
    """Whether the target gets no gradient, gets one, or there is no predictor."""
    expectation: bool = True
    """Whether the gradient is that of the exact expectation of the loss."""
    samples: PositiveInt = 256
    """The samples drawn at each step, where it is not."""
    start: float = 0.5
    """The multiple of the identity that the predictor starts around."""
    spread: NonNegativeFloat = 0.1
    """The scale of the Gaussian symmetric matrix that is added to it."""
    lr: PositiveFloat = 0.01
    """The step of gradient descent."""
    steps: PositiveInt = 10000
    """The steps of gradient descent."""
