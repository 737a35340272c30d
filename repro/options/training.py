"""How a network is trained: batches, the update rule, the learning rate over the run."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SerializeAsAny,
    model_validator,
)

from repro.options.base import ComponentOptions, Options, Probability
from repro.options.choose import chosen, schema
from repro.options.components import StageOptions
from repro.options.streams import SampledOptions, StreamOptions

StreamName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*$")]


class Batch(Options):
    """What forms one loss, and what BatchNorm takes its statistics over."""

    size: Annotated[PositiveInt, Field(le=10**7)]
    """The samples that form one loss."""
    bn_span: PositiveInt | None = None
    """The samples over which BatchNorm takes its statistics (default: all)."""
    bn_views: Literal["together", "apart"] | None = None
    """Whether BatchNorm sees the views of a sample as one batch, or view after view (default: together)."""
    drop_last: bool = False
    """Whether an epoch's last batch is left out where it is smaller."""


class Optimizer(ComponentOptions):
    """The update rule."""

    name: str = "sgd"
    """The update rule."""
    lr: Annotated[PositiveFloat, Field(le=10**6)]
    """The learning rate, after any scaling with the batch."""
    momentum: Probability = 0.0
    """The momentum of SGD and LARS."""
    nesterov: bool = False
    """Whether SGD's momentum is Nesterov's."""
    betas: tuple[Probability, Probability] | None = None
    """β₁ and β₂ of Adam and AdamW (default: 0.9 and 0.999)."""
    weight_decay: NonNegativeFloat = 0.0
    """The weight decay; AdamW's is decoupled from the gradient."""
    exempt_1d: bool | None = None
    """Whether biases and parameters of norms get no weight decay, nor LARS's adaptation (default: no)."""
    decayed: Literal["encoder"] | None = None
    """The part that weight decay is confined to (default: all of the method)."""
    trust: PositiveFloat | None = None
    """LARS's trust coefficient η (default: 0.001)."""
    clip: bool | None = None
    """Whether LARS's adapted rate is never above `lr`, as in LARC (default: no)."""
    joint: bool | None = None
    """Whether LARS adapts to ‖g + decay · w‖ and not to the sum of both norms (default: no)."""
    max_norm: PositiveFloat | None = None
    """The largest norm of the whole gradient; a longer one is scaled down (default: no limit)."""


class Momentum(Options):
    """How slowly a momentum encoder follows: the EMA decay over the run."""

    start: Probability
    """The EMA decay at the first step: the share of itself that the momentum encoder keeps."""
    end: Probability | None = None
    """The EMA decay at the last step, reached along half a cosine (default: constant)."""


class OnlineProbe(Options):
    """A linear classifier trained beside the network on its features, without a gradient into them.

    A diagnostic: nothing is chosen by it.
    """

    lr: Annotated[PositiveFloat, Field(le=10**6)]
    """Its learning rate, which follows the schedule of the network's."""


class Schedule(ComponentOptions):
    """The learning rate over the run, as a factor on the optimizer's `lr`.

    A warm-up rises linearly to the value that the schedule has at its end. Where the stage's length is given in
    `steps`, what counts epochs here counts steps.
    """

    name: str = "constant"
    """The curve of the learning rate."""
    end: NonNegativeFloat = 0.0
    """The factor at the end of `cosine` and `exponential`."""
    milestones: tuple[PositiveInt, ...] = ()
    """The epochs after which `step` multiplies the rate by `gamma`."""
    gamma: PositiveFloat = 0.1
    """The factor of `step`."""
    warmup_epochs: NonNegativeInt = 0
    """The first epochs, over which the rate rises linearly."""
    warmup: NonNegativeInt | None = None
    """The same in the unit of the stage's length, in the place of `warmup_epochs`."""
    warmup_start: NonNegativeFloat = 0.0
    """The factor at which the warm-up starts."""
    after_warmup: bool | None = None
    """Whether `cosine` and `exponential` begin only after the warm-up (default: at the first step)."""
    per: Literal["step", "epoch"] = "step"
    """Whether the rate changes every step or every epoch; the warm-up does so every step."""
    count_from: Annotated[int, Field(ge=0, le=1)] = 0
    """With `per: epoch`, the number of the first epoch in the formula."""

    @model_validator(mode="after")
    def _one_warm_up(self) -> Self:
        if self.warmup is not None and self.warmup_epochs:
            raise ValueError("`warmup` and `warmup_epochs` exclude each other")
        return self

    @property
    def rising(self) -> int:
        """How long the rate rises at first, in the unit of the stage's length."""
        return self.warmup_epochs if self.warmup is None else self.warmup


OptimizerSpec = Annotated[
    SerializeAsAny[Optimizer],
    chosen(("engine.optimizers",), "name", "sgd"),
    schema(("engine.optimizers",), "name"),
]
ScheduleSpec = Annotated[
    SerializeAsAny[Schedule],
    chosen(("engine.schedules",), "name", "constant"),
    schema(("engine.schedules",), "name"),
]


class TrainingOptions(StageOptions):
    """Options of a stage that trains. For `streams` see `repro.engine.streams`."""

    trains: ClassVar[bool] = True
    divides: ClassVar[bool] = True

    epochs: PositiveInt | None = None
    """The length as passes over the data."""
    steps: PositiveInt | None = None
    """The length as a number of batches, in the place of `epochs`."""
    data: SampledOptions | None = None
    """What is trained on, where that is not a whole split in shuffled epochs."""
    streams: dict[StreamName, StreamOptions] | None = None
    """Further data, by name, of which each row of a batch gets samples."""
    batch: Batch
    """The batches."""
    optimizer: OptimizerSpec
    """The update rule."""
    schedule: ScheduleSpec = Schedule()
    """The learning rate over the run."""
    turns: tuple[OptimizerSpec, ...] | None = None
    """Further updates of each step with the same batch, one after the other, each by an optimizer of its own."""

    @model_validator(mode="after")
    def _the_warm_up_ends(self) -> TrainingOptions:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("needs its length, as `epochs` or as `steps`")
        length, unit = (self.epochs, "epochs") if self.steps is None else (self.steps, "steps")
        key = "warmup_epochs" if self.schedule.warmup is None else "warmup"
        if self.schedule.rising >= (length or 0):
            raise ValueError(
                f"a warm-up of {self.schedule.rising} {unit} does not end within the {length} of the "
                f"stage, so its rate is never reached; set a smaller `schedule.{key}`, or more `{unit}`"
            )
        return self
