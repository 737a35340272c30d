"""Options of the slice `classes`."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import NonNegativeInt, PositiveInt, model_validator

from repro.options.data import SliceOptions


class ClassesOptions(SliceOptions):
    main: ClassVar[str | None] = "only"

    only: tuple[NonNegativeInt, ...] | None = None
    """These classes."""
    without: tuple[NonNegativeInt, ...] | None = None
    """All classes but these."""
    of: PositiveInt | None = None
    """The number of tasks into which the classes are divided, in equal parts."""
    task: NonNegativeInt | None = None
    """The classes of this task, from 0."""
    up_to: NonNegativeInt | None = None
    """The classes of all tasks up to this one."""
    shuffled: bool = False
    """Whether tasks take the classes in a keyed order."""
    renumber: bool = False
    """Whether the labels of the chosen classes count from 0 without a gap."""

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        chosen = [self.only, self.without, self.of]
        if sum(one is not None for one in chosen) != 1:
            raise ValueError("needs one of `only`, `without` and `of`")
        if (self.of is not None) != ((self.task is None) != (self.up_to is None)):
            raise ValueError("`of` goes with one of `task` and `up_to`")
        return self

    def rows(self, samples: int, classes: int) -> int:
        if self.of is not None:
            return samples // self.of * (1 if self.task is not None else (self.up_to or 0) + 1)
        chosen = len(self.only) if self.only is not None else classes - len(self.without or ())
        return samples * chosen // classes
