"""Options of the stage `linformer_efficiency`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Collection, Field, PositiveInt, StageOptions


class LinformerEfficiencyOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"

    lengths: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    timed: tuple[PositiveInt, ...] = ()
    projected: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (128, 256)
    width: PositiveInt = 768
    hidden: PositiveInt = 3072
    heads: PositiveInt = 12
    repeats: PositiveInt = 3

    @property
    def metrics(self) -> Collection[str]:
        memory = [f"memory_saved_{n}" for n in self.lengths]
        time = [f"time_saved_{n}" for n in self.lengths if n in self.timed]
        return [f"{saved}_k{k}" for saved in (*memory, *time) for k in self.projected]
