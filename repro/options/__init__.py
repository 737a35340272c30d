"""The vocabulary in which methods, stages, networks and views declare their options.

A component's options are a class of their own beside the component's, see `repro.components`:

    class SupConOptions(MethodOptions):     # methods/supervised/supcon_options.py
        temperature: PositiveFloat = 0.1
"""

from __future__ import annotations

from collections.abc import Collection

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from repro.options.base import ComponentOptions, Options, Probability
from repro.options.components import (
    BackboneSpec,
    EarlierNetwork,
    FurtherSpec,
    HeadOptions,
    HeadSpec,
    IndexOf,
    MethodOptions,
    MethodSpec,
    MetricsOf,
    NetworkOf,
    NetworkOptions,
    StageOptions,
    StageSpec,
)
from repro.options.refs import MetricsRef, Ref, references
from repro.options.streams import DataOptions, SampledOptions, StreamOptions
from repro.options.training import (
    Batch,
    Momentum,
    OnlineProbe,
    Optimizer,
    OptimizerSpec,
    Schedule,
    ScheduleSpec,
    TrainingOptions,
)
from repro.options.views import (
    Blur,
    Crop,
    Cutout,
    Jitter,
    LabelledViewsSpec,
    Normalise,
    RandAugment,
    Solarise,
    ViewOptions,
    Views,
    ViewsSpec,
)

__all__ = [
    "BackboneSpec",
    "Batch",
    "Blur",
    "Collection",
    "ComponentOptions",
    "Crop",
    "Cutout",
    "DataOptions",
    "EarlierNetwork",
    "Field",
    "FurtherSpec",
    "HeadOptions",
    "HeadSpec",
    "IndexOf",
    "Jitter",
    "LabelledViewsSpec",
    "MethodOptions",
    "MethodSpec",
    "MetricsOf",
    "MetricsRef",
    "Momentum",
    "NetworkOf",
    "NetworkOptions",
    "NonNegativeFloat",
    "NonNegativeInt",
    "Normalise",
    "OnlineProbe",
    "Optimizer",
    "OptimizerSpec",
    "Options",
    "PositiveFloat",
    "PositiveInt",
    "Probability",
    "RandAugment",
    "Ref",
    "SampledOptions",
    "Schedule",
    "ScheduleSpec",
    "Solarise",
    "StageOptions",
    "StageSpec",
    "StreamOptions",
    "TrainingOptions",
    "ViewOptions",
    "Views",
    "ViewsSpec",
    "references",
]
