"""Options of the stage `activation_statistics`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, PositiveFloat, PositiveInt, StageOptions


class ActivationStatisticsOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"
    metrics: ClassVar[tuple[str, ...]] = (
        "preactivation_std_2",
        "preactivation_std_deep",
        "postactivation_std_2",
        "postactivation_std_deep",
    )
    width: PositiveInt = 2048
    """The width of the layers."""
    hidden: Annotated[int, Field(ge=4)] = 10
    """The sine layers after the first."""
    omega: PositiveFloat = 30.0
    """ω₀, the factor before the sine."""
    bias: bool = True
    """Whether the layers have biases."""
    inputs: Annotated[int, Field(ge=2)] = 16384
    """The number of inputs, evenly spaced on [−1, 1]."""
