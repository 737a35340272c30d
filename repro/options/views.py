"""How images become views: crops, colours, blur."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    SerializeAsAny,
    model_validator,
)

from repro.options.base import ComponentOptions, Options, Probability


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
    count: Annotated[PositiveInt, Field(le=100)] = 1
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

    def shape(self, image: tuple[int, ...]) -> tuple[int, ...]:
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


def _without_local(views: Views | ViewOptions) -> Views | ViewOptions:
    if views.local:
        raise ValueError("a classifier takes no `local` views")
    return views


class ViewOptions(ComponentOptions):
    """How samples that are not images become views, chosen by `kind`."""

    local: ClassVar[None] = None

    kind: str
    count: Annotated[PositiveInt, Field(le=100)] = 1

    def shape(self, sample: tuple[int, ...]) -> tuple[int, ...]:
        """That of a network's input, for samples of this shape."""
        return sample


def _read(value: Any) -> Any:
    from repro.components import options_for
    from repro.views.policies import expand

    if isinstance(value, dict) and "kind" in value:
        return options_for(("views.kinds",), "kind", value)
    return value if isinstance(value, ViewOptions) else expand(value)


ViewsSpec = Annotated[Views | SerializeAsAny[ViewOptions], BeforeValidator(_read)]
LabelledViewsSpec = Annotated[ViewsSpec, AfterValidator(_without_local)]
