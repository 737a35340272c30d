"""Options of the stage `hebbian_control`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from repro.options import (
    Collection,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    Optimizer,
    OptimizerSpec,
    PositiveFloat,
    PositiveInt,
    Probability,
    StageOptions,
)


class HebbianControlOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"
    trains: ClassVar[bool] = True
    world: Literal["cartpole", "carracing", "ant"]
    """The simulated world that is acted in."""
    plastic: bool = True
    """Whether Hebbian rules are evolved (plastic) or the weights themselves (static)."""
    population: Annotated[int, Field(ge=2, multiple_of=2)] = 200
    """n, the members of a generation, in mirrored pairs."""
    generations: PositiveInt = 300
    """The number of generations."""
    optimizer: OptimizerSpec = Optimizer(name="sgd", lr=0.2)
    """The update rule of the mean; with plain SGD its rate is α."""
    lr_decay: PositiveFloat = 0.995
    """The factor on the learning rate after each generation."""
    lr_floor: NonNegativeFloat = 0.001
    """The least learning rate."""
    sigma: PositiveFloat = 0.1
    """σ, the standard deviation of the perturbations in the first generation."""
    sigma_decay: PositiveFloat = 0.999
    """The factor on σ after each generation."""
    sigma_floor: PositiveFloat = 0.01
    """The least σ."""
    penalty: NonNegativeFloat = 0.01
    """The weight of the mean square of a member's coefficients, subtracted from its fitness."""
    reach: PositiveFloat = 0.1
    """The bound of the uniform initial weights of a plastic network."""
    steps: PositiveInt = 1000
    """The most steps of an episode."""
    episodes: PositiveInt = 100
    """The test episodes of each kind."""
    zeroed: tuple[Probability, ...] = ()
    """The shares of all weights that become 0 in further tests."""
    zeroed_at: NonNegativeInt = 0
    """The step of the episode at which they do."""

    @property
    def modules(self) -> tuple[str, ...]:
        simulator = {"carracing": ("Box2D",), "ant": ("mujoco",)}.get(self.world, ())
        return ("gymnasium", *simulator)

    @property
    def metrics(self) -> Collection[str]:
        legs = ("return_right", "return_left") if self.world == "ant" else ()
        return ["return", *legs, *(f"return_zeroed_{round(100 * share)}" for share in self.zeroed)]
