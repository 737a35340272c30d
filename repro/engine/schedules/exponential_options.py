"""Options of the schedule `exponential`."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from repro.options import Schedule


class ExponentialOptions(Schedule):
    @model_validator(mode="after")
    def _ends_above_zero(self) -> Self:
        if not self.end:
            raise ValueError("`exponential` needs an `end` above 0")
        return self
