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
    noise: NonNegativeFloat = 0.5
    weight_decay: NonNegativeFloat = 0.05
    predictor_rate: PositiveFloat = 1.0
    variant: Literal["stop_gradient", "gradient", "no_predictor"] = "stop_gradient"
    expectation: bool = True
    samples: PositiveInt = 256
    start: float = 0.5
    spread: NonNegativeFloat = 0.1
    lr: PositiveFloat = 0.01
    steps: PositiveInt = 10000
