"""Options of the stage `hebbian_control`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from repro.options import (
    Collection,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    Optimizer,
    PositiveFloat,
    PositiveInt,
    Probability,
    StageOptions,
)


class HebbianControlOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"
    trains: ClassVar[bool] = True
    world: Literal["cartpole", "carracing", "ant"]
    plastic: bool = True
    population: Annotated[int, Field(ge=2, multiple_of=2)] = 200
    generations: PositiveInt = 300
    optimizer: Optimizer = Optimizer(name="sgd", lr=0.2)
    lr_decay: PositiveFloat = 0.995
    lr_floor: NonNegativeFloat = 0.001
    sigma: PositiveFloat = 0.1
    sigma_decay: PositiveFloat = 0.999
    sigma_floor: PositiveFloat = 0.01
    penalty: NonNegativeFloat = 0.01
    reach: PositiveFloat = 0.1
    steps: PositiveInt = 1000
    episodes: PositiveInt = 100
    zeroed: tuple[Probability, ...] = ()
    zeroed_at: NonNegativeInt = 0

    @property
    def modules(self) -> tuple[str, ...]:
        simulator = {"carracing": ("Box2D",), "ant": ("mujoco",)}.get(self.world, ())
        return ("gymnasium", *simulator)

    @property
    def metrics(self) -> Collection[str]:
        legs = ("return_right", "return_left") if self.world == "ant" else ()
        return ["return", *legs, *(f"return_zeroed_{round(100 * share)}" for share in self.zeroed)]
