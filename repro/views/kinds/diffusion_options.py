"""Signals that have spread over a graph."""

from __future__ import annotations

from typing import Annotated

from repro.options import Field, PositiveInt, ViewOptions


class DiffusionOptions(ViewOptions):
    """Images of adjacency matrices become the covariance of signals on their nodes."""

    coefficients: Annotated[tuple[float, ...], Field(min_length=1)]
    """h_0, h_1, …: of the filter H = Σ h_k (A / λ)^k, with λ the largest eigenvalue of A."""
    signals: PositiveInt
    """How many signals the covariance is estimated from."""

    def shape(self, sample: tuple[int, ...]) -> tuple[int, ...]:
        return sample[1:]
