"""Options of the stage `continual`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Field, MetricsOf, StageOptions


class ContinualOptions(StageOptions):
    metrics: ClassVar[tuple[str, ...]] = ("average", "incremental", "forgetting", "backward")

    of: Annotated[MetricsOf, Field(pattern=r"^[a-z0-9_]*\*[a-z0-9_]*\*[a-z0-9_]*\.[a-z0-9_]+$")]
    """The accuracies, as `tasks*_test*.top1`: the first star is the round, the second the task, both from 0."""
