"""How images become views: crops, colours, blur."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SerializeAsAny,
    model_validator,
)

from repro import components
from repro.options.base import ComponentOptions, Options, Probability
from repro.views.policies import completed


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
    """Random resized crop."""

    scale: Share = (0.08, 1.0)
    """The least and the largest share of the image's area."""
    ratio: Range = (3 / 4, 4 / 3)
    """The least and the largest aspect ratio, width to height, drawn log-uniformly."""
    filter: Literal["bilinear", "bicubic"] | None = None
    """The interpolation, also of an image for evaluation (default: bilinear)."""


class Jitter(Options):
    """Colour jitter, as torchvision's ColorJitter."""

    p: Probability = 0.8
    """The probability of the jitter."""
    brightness: NonNegativeFloat = 0.4
    """The strength, as torchvision's: a factor in [1 − b, 1 + b]."""
    contrast: NonNegativeFloat = 0.4
    """The strength, as torchvision's: a factor in [1 − c, 1 + c]."""
    saturation: NonNegativeFloat = 0.4
    """The strength, as torchvision's: a factor in [1 − s, 1 + s]."""
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """The largest shift of the hue, in turns of the colour wheel."""


class Blur(Options):
    """Gaussian blur."""

    p: Probability = 0.5
    """The probability of the blur."""
    sigma: Range = (0.1, 2.0)
    """The least and the largest standard deviation in pixels, drawn uniformly."""
    kernel: Annotated[PositiveInt, AfterValidator(_odd)] = 3
    """The size of the kernel in pixels, odd."""


class Solarise(Options):
    """Solarisation: bright values are inverted."""

    p: Probability = 0.2
    """The probability of the inversion."""
    threshold: Probability = 128 / 255
    """The value in 0..1 from which pixels are inverted."""


class RandAugment(Options):
    """`ops` operations one after the other, each drawn from a table of about 14 with a strength of its own.

    The table and the draw of the strength are those of a `style`: `torchvision` (every operation with the strength
    `magnitude` of 30), `fixmatch` (each with probability 1/2 and a strength of 1..`magnitude` − 1 of 10, as in its
    PyTorch version), `torchssl` (any strength), `uda` (as `fixmatch`, with a table of its own).
    """

    style: Literal["torchvision", "fixmatch", "torchssl", "uda"]
    """Whose table of operations and strengths."""
    ops: PositiveInt = 2
    """Operations an image."""
    magnitude: Annotated[PositiveInt, Field(le=30)] | None = None
    """The strength, in the unit of the style (default: torchvision 9, else 10)."""
    first: bool | None = None
    """Whether it acts on the whole image, before crop and flip, and not on the view."""
    fill: Literal["black", "mean"] | None = None
    """What shows where nothing of the image is: black (default), or the mean that views are normalised by."""


class Cutout(Options):
    """A square whose centre is any pixel is painted over, DeVries and Taylor 2017 (arXiv 1708.04552)."""

    size: tuple[NonNegativeInt, PositiveInt] | PositiveInt
    """Its side in pixels, or the range from which it is drawn; parts beyond the edge are lost."""
    fill: Annotated[tuple[Probability, ...], Field(min_length=1)] | None = None
    """Its colour in 0..1, per channel (default: the mean that views are normalised by)."""


class Normalise(Options):
    """What is subtracted from each channel, and by what it is divided."""

    mean: tuple[float, ...]
    """The mean of each channel, pixels being in 0..1."""
    std: tuple[PositiveFloat, ...]
    """The standard deviation of each channel, pixels being in 0..1."""

    @model_validator(mode="after")
    def _one_value_per_channel(self) -> Normalise:
        if len(self.mean) != len(self.std):
            raise ValueError("`mean` and `std` need one value for each channel")
        return self


class Views(Options):
    """How one image becomes views."""

    policy: str | None = None
    """A named policy, which fills in what is not given here."""
    count: Annotated[PositiveInt, Field(le=100)] = 1
    """The number of views of a sample."""
    each: tuple[Views, ...] | None = None
    """What is other for each view than for all, an entry a view."""
    local: Views | None = None
    """Further views, usually more and smaller ones (multi-crop), which methods get apart from the others."""
    size: PositiveInt | None = None
    """The side of a view in pixels (default: the data set's)."""
    test_size: PositiveInt | None = None
    """The side in pixels at which whole images are evaluated (default: that of the views)."""
    crop: Crop | None = None
    """A random resized crop."""
    pad_crop: PositiveInt | None = None
    """A crop of the view's size from the image, padded by so many pixels on each side."""
    pad_with: Literal["reflection", "mean"] | None = None
    """With what `pad_crop` pads: the image mirrored, or the mean that views are normalised by (default: black)."""
    randaugment: RandAugment | None = None
    """Some operations of many, with strengths of their own."""
    cutout: Cutout | None = None
    """A square that is painted over."""
    flip: Probability = 0.0
    """The probability of a horizontal flip."""
    jitter: Jitter | None = None
    """Colour jitter."""
    grayscale: Probability = 0.0
    """The probability that the view is grey."""
    blur: Blur | None = None
    """Gaussian blur."""
    solarise: Solarise | None = None
    """Solarisation: bright pixels are inverted."""
    normalise: Normalise | None = None
    """What is subtracted from each channel, and by what it is divided (default: the data set's own)."""

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
        if self.pad_with and not self.pad_crop:
            raise ValueError("`pad_with` needs `pad_crop`")
        return self


def _without_local(views: Views | ViewOptions) -> Views | ViewOptions:
    if views.local:
        raise ValueError("a classifier takes no `local` views")
    return views


class ViewOptions(ComponentOptions):
    """How samples that are not images become views, chosen by `kind`."""

    local: ClassVar[None] = None

    kind: str
    """The kind of view."""
    count: Annotated[PositiveInt, Field(le=100)] = 1
    """The number of views of a sample."""

    def shape(self, sample: tuple[int, ...]) -> tuple[int, ...]:
        """That of a network's input, for samples of this shape."""
        return sample

    def seeing(self, field: str) -> ViewOptions:
        """The same of another field of the table."""
        raise ValueError(f"views of kind `{self.kind}` are of one field only")


def expand(value: Any) -> Views:
    """Views as a recipe writes them, with the named policy filled in. Raises pydantic's errors."""
    return Views.model_validate(completed(value))


def _read(value: Any) -> Any:
    if isinstance(value, dict) and "kind" in value:
        return components.options_for(("views.kinds",), "kind", value)
    return value if isinstance(value, ViewOptions) else expand(value)


ViewsSpec = Annotated[Views | SerializeAsAny[ViewOptions], BeforeValidator(_read)]
LabelledViewsSpec = Annotated[ViewsSpec, AfterValidator(_without_local)]
