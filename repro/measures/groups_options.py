"""Options of the measure `groups`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from repro.options.data import MeasureOptions


class GroupsOptions(MeasureOptions):
    metrics: ClassVar[tuple[str, ...]] = ("top1", "worst_group", "mean_group", "gap")
    part: ClassVar[str] = "head"
    classifies: ClassVar[bool] = True

    by: Annotated[tuple[str, ...], Field(min_length=1)]
    """The fields whose values, together, say of which group a sample is."""
