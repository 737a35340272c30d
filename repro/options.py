"""The vocabulary in which methods, stages, networks and views declare their options.

A component's options are a class named `Options` inside the component's class:

    class SupCon(Method):
        class Options(MethodOptions):
            temperature: PositiveFloat = 0.1

The class may use only names from this module, `pydantic` and `typing`, so that it can be read without
importing torch (see `repro.components`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SerializeAsAny,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from repro.errors import suggestion

__all__ = [
    "BackboneSpec",
    "Batch",
    "Field",
    "HeadOptions",
    "HeadSpec",
    "MethodOptions",
    "MethodSpec",
    "Momentum",
    "NetworkOptions",
    "NonNegativeFloat",
    "NonNegativeInt",
    "OnlineProbe",
    "Optimizer",
    "Options",
    "PositiveFloat",
    "PositiveInt",
    "Probability",
    "Schedule",
    "StageOptions",
    "StageSpec",
    "TrainingOptions",
    "ViewsSpec",
]

Probability = Annotated[float, Field(ge=0, le=1)]


class Options(BaseModel):
    """A group of named, typed values in a file. Unknown keys are errors that name the nearest known one."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    @model_validator(mode="wrap")
    @classmethod
    def _suggest_keys(cls, value: Any, validate: Any) -> Any:
        try:
            return validate(value)
        except ValidationError as error:
            raise ValidationError.from_exception_data(
                error.title, [_with_suggestion(e, cls.model_fields) for e in error.errors()]
            ) from None


def _with_suggestion(error: ErrorDetails, known: Iterable[str]) -> InitErrorDetails:
    kind, message = error["type"], error["msg"]
    if kind == "extra_forbidden" and len(error["loc"]) == 1:
        kind, message = "unknown_key", f"unknown key{suggestion(str(error['loc'][0]), known)}"
    return InitErrorDetails(
        type=PydanticCustomError(kind, "{message}", {"message": message}),  # type: ignore[arg-type]
        loc=error["loc"],
        input=error["input"],
    )


class MethodOptions(Options):
    """Options of a training objective, chosen by `name`."""

    name: str


class HeadOptions(Options):
    """Options of a head on top of a backbone, chosen by `kind`."""

    kind: str


class StageOptions(Options):
    """Options of one stage of a recipe, chosen by `kind`; `of` names the earlier stage it builds on."""

    kind: str

    @property
    def modules(self) -> tuple[str, ...]:
        """What the stage imports of the extra `control`: without it the recipe is not started."""
        return ()


def _chosen(folders: tuple[str, ...], key: str) -> Any:
    """A field whose value picks a component by `key` and is checked by that component's own options."""

    def read(value: Any) -> Any:
        from repro.components import options_for

        return value if isinstance(value, Options) else options_for(folders, key, value)

    return BeforeValidator(read)


def _schema(folders: tuple[str, ...], key: str) -> Any:
    """Marks the field for `repro check --schema`, which fills in one alternative for each component."""
    return WithJsonSchema({"type": "object", "components": [*folders], "key": key})


HeadSpec = Annotated[
    SerializeAsAny[HeadOptions], _chosen(("networks.heads",), "kind"), _schema(("networks.heads",), "kind")
]


class NetworkOptions(Options):
    """A backbone, chosen by `backbone`, and the head that a method puts on it."""

    backbone: str
    head: HeadSpec | None = None


BackboneSpec = Annotated[
    SerializeAsAny[NetworkOptions], _chosen(("networks",), "backbone"), _schema(("networks",), "backbone")
]
MethodSpec = Annotated[
    SerializeAsAny[MethodOptions], _chosen(("methods",), "name"), _schema(("methods",), "name")
]
StageSpec = Annotated[
    SerializeAsAny[StageOptions],
    _chosen(("stages", "experiments"), "kind"),
    _schema(("stages", "experiments"), "kind"),
]


def _policy(value: Any) -> Any:
    from repro.views.policies import expand

    return expand(value)


def _rising(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("the first value must not be above the second")
    return pair


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError("the kernel size must be odd")
    return size


Share = Annotated[tuple[Probability, Probability], AfterValidator(_rising)]
Range = Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(_rising)]


class Crop(Options):
    """Random resized crop: the area's share of the image and its aspect ratio (log-uniform).

    `filter` is the interpolation with which the crop is resized, and an image for evaluation (default: bilinear).
    """

    scale: Share = (0.08, 1.0)
    ratio: Range = (3 / 4, 4 / 3)
    filter: Literal["bilinear", "bicubic"] | None = None


class Jitter(Options):
    """Colour jitter with probability `p`; the strengths are those of torchvision's ColorJitter."""

    p: Probability = 0.8
    brightness: NonNegativeFloat = 0.4
    contrast: NonNegativeFloat = 0.4
    saturation: NonNegativeFloat = 0.4
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.1


class Blur(Options):
    """Gaussian blur with probability `p`, `sigma` in pixels drawn uniformly, odd kernel size in pixels."""

    p: Probability = 0.5
    sigma: Range = (0.1, 2.0)
    kernel: Annotated[PositiveInt, AfterValidator(_odd)] = 3


class Solarise(Options):
    """Inverts the values at or above `threshold` (in 0..1) with probability `p`."""

    p: Probability = 0.2
    threshold: Probability = 128 / 255


class Normalise(Options):
    """Per-channel mean and standard deviation of pixels in 0..1; the data set's own when not given."""

    mean: tuple[float, ...]
    std: tuple[PositiveFloat, ...]

    @model_validator(mode="after")
    def _one_value_per_channel(self) -> Normalise:
        if len(self.mean) != len(self.std):
            raise ValueError("`mean` and `std` need one value for each channel")
        return self


class Views(Options):
    """How one image becomes `count` views. A named `policy` fills in what is not given here.

    The views of an image differ in kind where `each` says, view by view, what is other than for all. `local`
    describes further views, usually more and smaller ones (multi-crop), that methods get apart from the others.
    Whole images are evaluated at `test_size`, or at the views' `size`.
    """

    policy: str | None = None
    count: PositiveInt = 1
    each: tuple[Views, ...] | None = None
    local: Views | None = None
    size: PositiveInt | None = None
    test_size: PositiveInt | None = None
    crop: Crop | None = None
    pad_crop: PositiveInt | None = None
    flip: Probability = 0.0
    jitter: Jitter | None = None
    grayscale: Probability = 0.0
    blur: Blur | None = None
    solarise: Solarise | None = None
    normalise: Normalise | None = None

    def shape(self, image: tuple[int, int, int]) -> tuple[int, int, int]:
        """(C, S, S) of a view of an image (C, H, W)."""
        size = self.size or image[-1]
        return image[0], size, size

    @model_validator(mode="after")
    def _a_kind_for_each_view(self) -> Views:
        if self.each and len(self.each) != self.count:
            raise ValueError(f"`each` needs an entry for each of the {self.count} views")
        return self

    @model_validator(mode="after")
    def _one_kind_of_crop(self) -> Views:
        if self.crop and self.pad_crop:
            raise ValueError("`crop` and `pad_crop` exclude each other; switch one off with `null`")
        return self


ViewsSpec = Annotated[Views, BeforeValidator(_policy)]


class Batch(Options):
    """`size` samples form one loss; BatchNorm takes its statistics over `bn_span` of them (default: all).

    The views of a sample pass through the network `together`, so that BatchNorm sees them as one batch, or
    `apart`, one view after the other, each with its own statistics (default: together).
    """

    size: PositiveInt
    bn_span: PositiveInt | None = None
    bn_views: Literal["together", "apart"] | None = None
    drop_last: bool = False


class Optimizer(Options):
    """The update rule. `lr` is the value used, after any scaling with the batch.

    With `exempt_1d`, biases and the parameters of norms get no weight decay, and LARS does not adapt their rate.
    `trust` and `clip` are LARS's, see `repro.engine.lars`. `max_norm` clips the norm of the whole gradient.
    """

    name: Literal["sgd", "adam", "adamw", "lars"] = "sgd"
    lr: PositiveFloat
    momentum: Probability = 0.0
    nesterov: bool = False
    betas: tuple[Probability, Probability] | None = None
    weight_decay: NonNegativeFloat = 0.0
    exempt_1d: bool | None = None
    trust: PositiveFloat | None = None
    clip: bool | None = None
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

    lr: PositiveFloat


class Schedule(Options):
    """The learning rate over the run, as a factor on the optimizer's `lr`.

    `constant`; `cosine` from 1 to `end`; `step`: times `gamma` after each epoch of `milestones`.
    The first `warmup_epochs` rise linearly from `warmup_start` to the value the schedule has at their end; with
    `after_warmup` the cosine begins only there, at 1.
    `per` says whether the value changes every `step` or every `epoch` (the warm-up always every step);
    with `epoch`, `count_from` is the number of the first epoch in the formula.
    """

    name: Literal["constant", "cosine", "step"] = "constant"
    end: NonNegativeFloat = 0.0
    milestones: tuple[PositiveInt, ...] = ()
    gamma: PositiveFloat = 0.1
    warmup_epochs: NonNegativeInt = 0
    warmup_start: NonNegativeFloat = 0.0
    after_warmup: bool | None = None
    per: Literal["step", "epoch"] = "step"
    count_from: Literal[0, 1] = 0


class TrainingOptions(StageOptions):
    """Options of a stage that trains: `epochs` passes over the data in batches."""

    epochs: PositiveInt
    batch: Batch
    optimizer: Optimizer
    schedule: Schedule = Schedule()

    @model_validator(mode="after")
    def _the_warm_up_ends(self) -> TrainingOptions:
        if self.schedule.warmup_epochs >= self.epochs:
            raise ValueError(
                f"a warm-up of {self.schedule.warmup_epochs} epochs does not end within the {self.epochs} of the "
                "stage, so its rate is never reached; set a smaller `schedule.warmup_epochs`, or more `epochs`"
            )
        return self
