"""Options of the stage `radioactive_train`."""

from __future__ import annotations

from typing import Annotated

from repro.options import Ref
from repro.stages.train_options import TrainOptions


class RadioactiveTrainOptions(TrainOptions):
    marks: Annotated[str, Ref("marks")]
    """The stage that marked images."""
