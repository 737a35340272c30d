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
    """The training objective, by its `name`, with its options."""
    network: BackboneSpec
    """The network, by its `backbone`, with its options and `head`."""
    views: ViewsSpec
    """How each sample becomes the views that the method takes."""
    split: str = "train"
    """The split of the recipe's data set that is trained on."""
    networks: dict[StreamName, FurtherSpec] | None = None
    """Further networks by name, which the method gets beside encoder and head."""
    start: NetworkOf | None = None
    """The stage whose encoder, and head where it fits, this one starts from (default: new weights)."""
    freeze: Literal["encoder"] | None = None
    """What is not trained (default: everything is)."""
    online: OnlineProbe | None = None
    """A linear classifier trained beside the network, as a diagnostic (default: none)."""
    collapse: Literal["stop", "record"] | None = None
    """Whether a collapse of the embeddings stops the run or is recorded (default: stop)."""

    @model_validator(mode="after")
    def _views_that_the_method_takes(self) -> Self:
        self.method.check(self.views)
        return self

    @property
    def metrics(self) -> Collection[str]:
        features = ("embedding_std",) if self.method.embeds else ()
        return ("loss", *features, *(("online_top1", "online_top5") if self.online else ()))

    @property
    def leaves(self) -> Collection[str]:
        return ("network", "classifier") if self.network.classifies else ("network",)

    @property
    def splits(self) -> Collection[str]:
        return (self.split, "test") if self.online else (self.split,)

    @property
    def labelled(self) -> Collection[str]:
        return self.splits if self.online or self.method.needs_labels else ()
