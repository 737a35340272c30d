"""Options of the stage `in_context`."""

from __future__ import annotations

from typing import ClassVar, Literal

from repro.options import Collection, NetworkOf, NonNegativeInt, StageOptions


class InContextOptions(StageOptions):
    """Which task a language model is given, with how many examples in its context, and how choices are compared."""

    divides: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "perplexity")

    of: NetworkOf
    """The stage that trained the language model."""
    set: str | None = None
    """The data set of the task (default: the recipe's)."""
    split: str = "test"
    """The split whose questions are asked."""
    examples: str = "validation"
    """The split of which the examples are drawn."""
    shots: NonNegativeInt = 0
    """K, the examples before each question; fewer where the context is too short for them."""
    form: Literal["context", "cloze"] = "context"
    """How a question is put: as running text, or as a blank to be filled in."""
    per: Literal["token", "unconditional"] = "token"
    """What a choice's likelihood is divided by: its tokens' number, or its likelihood after a neutral "Answer:"."""

    @property
    def splits(self) -> Collection[str]:
        return () if self.set else (self.split, self.examples)
