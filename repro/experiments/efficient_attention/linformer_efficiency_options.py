"""Options of the stage `linformer_efficiency`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from repro.options import Collection, Field, PositiveInt, StageOptions


class LinformerEfficiencyOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"

    lengths: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    """n, the sequence lengths for which memory is counted."""
    timed: tuple[PositiveInt, ...] = ()
    """The lengths among them that are timed."""
    projected: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (128, 256)
    """K, the numbers of places that keys and values are projected to."""
    width: PositiveInt = 768
    """The width of the layer."""
    hidden: PositiveInt = 3072
    """The width of its feed-forward part."""
    heads: PositiveInt = 12
    """The number of attention heads."""
    repeats: PositiveInt = 3
    """The timed passes of which the fastest counts."""

    @property
    def metrics(self) -> Collection[str]:
        memory = [f"memory_saved_{n}" for n in self.lengths]
        time = [f"time_saved_{n}" for n in self.lengths if n in self.timed]
        return [f"{saved}_k{k}" for saved in (*memory, *time) for k in self.projected]
