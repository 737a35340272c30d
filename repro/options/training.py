"""How a network is trained: batches, the update rule, the learning rate over the run."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from repro.options.base import Options, Probability
from repro.options.components import StageOptions
from repro.options.streams import SampledOptions, StreamOptions

StreamName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*$")]


class Batch(Options):
    """`size` samples form one loss; BatchNorm takes its statistics over `bn_span` of them (default: all).

    The views of a sample pass through the network `together`, so that BatchNorm sees them as one batch, or
    `apart`, one view after the other, each with its own statistics (default: together).
    """

    size: Annotated[PositiveInt, Field(le=10**7)]
    bn_span: PositiveInt | None = None
    bn_views: Literal["together", "apart"] | None = None
    drop_last: bool = False


class Optimizer(Options):
    """The update rule. `lr` is the value used, after any scaling with the batch.

    With `exempt_1d`, biases and the parameters of norms get no weight decay, and LARS does not adapt their rate.
    `trust`, `clip` and `joint` are LARS's, see `repro.engine.lars`. `max_norm` clips the norm of the whole gradient.
    """

    name: Literal["sgd", "adam", "adamw", "lars"] = "sgd"
    lr: Annotated[PositiveFloat, Field(le=10**6)]
    momentum: Probability = 0.0
    nesterov: bool = False
    betas: tuple[Probability, Probability] | None = None
    weight_decay: NonNegativeFloat = 0.0
    exempt_1d: bool | None = None
    trust: PositiveFloat | None = None
    clip: bool | None = None
    joint: bool | None = None
    max_norm: PositiveFloat | None = None


class Momentum(Options):
    """How slowly a momentum encoder follows: it keeps this share of itself at each step.

    The share rises from `start` to `end` along half a cosine over the run; without `end` it is constant.
    """

    start: Probability
    end: Probability | None = None


class OnlineProbe(Options):
    """A linear classifier trained beside the network on its features, without a gradient into them.

    `lr` follows the schedule of the network's optimizer. A diagnostic: nothing is chosen by it.
    """

    lr: Annotated[PositiveFloat, Field(le=10**6)]


class Schedule(Options):
    """The learning rate over the run, as a factor on the optimizer's `lr`.

    `constant`; `cosine` from 1 to `end`; `exponential` from 1 to `end`, by the same share each epoch; `step`:
    times `gamma` after each epoch of `milestones`.
    The first `warmup_epochs`, or `warmup` in the unit of the stage's length, rise linearly from `warmup_start` to the
    value the schedule has at their end; with `after_warmup` cosine and exponential begin only there, at 1.
    `per` says whether the value changes every `step` or every `epoch` (the warm-up always every step);
    with `epoch`, `count_from` is the number of the first epoch in the formula.
    Where the stage's length is given in `steps`, what counts epochs here counts steps.
    """

    name: Literal["constant", "cosine", "exponential", "step"] = "constant"
    end: NonNegativeFloat = 0.0
    milestones: tuple[PositiveInt, ...] = ()
    gamma: PositiveFloat = 0.1
    warmup_epochs: NonNegativeInt = 0
    warmup: NonNegativeInt | None = None
    warmup_start: NonNegativeFloat = 0.0
    after_warmup: bool | None = None
    per: Literal["step", "epoch"] = "step"
    count_from: Annotated[int, Field(ge=0, le=1)] = 0

    @model_validator(mode="after")
    def _ends_above_zero(self) -> Schedule:
        if self.name == "exponential" and not self.end:
            raise ValueError("`exponential` needs an `end` above 0")
        if self.warmup is not None and self.warmup_epochs:
            raise ValueError("`warmup` and `warmup_epochs` exclude each other")
        return self

    @property
    def rising(self) -> int:
        """How long the rate rises at first, in the unit of the stage's length."""
        return self.warmup_epochs if self.warmup is None else self.warmup


class TrainingOptions(StageOptions):
    """Options of a stage that trains: `epochs` passes over the data in batches, or `steps` batches.

    `data` says what is trained on where that is not a whole split in shuffled epochs; `streams` adds to each row of
    a batch samples of other data, which have a name of their own (see `repro.engine.streams`).
    """

    trains: ClassVar[bool] = True
    divides: ClassVar[bool] = True

    epochs: PositiveInt | None = None
    steps: PositiveInt | None = None
    data: SampledOptions | None = None
    streams: dict[StreamName, StreamOptions] | None = None
    batch: Batch
    optimizer: Optimizer
    schedule: Schedule = Schedule()

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
