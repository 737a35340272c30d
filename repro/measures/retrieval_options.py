"""Options of the measure `retrieval`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from repro.options.data import MeasureOptions


class RetrievalOptions(MeasureOptions):
    k: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (1, 2, 4, 8)
    """How many of the nearest are looked at for Recall@k."""
    distance: Literal["cosine", "euclidean"] = "cosine"
    """How near two samples are."""

    @property
    def metrics(self) -> tuple[str, ...]:  # type: ignore[override]
        return (*(f"recall_at_{k}" for k in self.k), "map_at_r", "r_precision")
