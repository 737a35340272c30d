"""Options of the stage `train`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from repro.options import (
    BackboneSpec,
    Collection,
    FurtherSpec,
    MethodSpec,
    NetworkOf,
    OnlineProbe,
    TrainingOptions,
    ViewsSpec,
)
from repro.options.training import StreamName


class TrainOptions(TrainingOptions):
    method: MethodSpec
    network: BackboneSpec
    views: ViewsSpec
    split: str = "train"
    networks: dict[StreamName, FurtherSpec] | None = None
    start: NetworkOf | None = None
    freeze: Literal["encoder"] | None = None
    online: OnlineProbe | None = None
    collapse: Literal["stop", "record"] | None = None

    @model_validator(mode="after")
    def _views_that_the_method_takes(self) -> Self:
        self.method.check(self.views)
        return self

    @property
    def metrics(self) -> Collection[str]:
        return ("loss", "spread", *(("online_top1", "online_top5") if self.online else ()))

    @property
    def leaves(self) -> Collection[str]:
        return ("network", "classifier") if self.network.classifies else ("network",)

    @property
    def splits(self) -> Collection[str]:
        return (self.split, "test") if self.online else (self.split,)

    @property
    def labelled(self) -> Collection[str]:
        return self.splits if self.online or self.method.needs_labels else ()
