"""Windows of a stream of tokens, for language models."""

from __future__ import annotations

from repro.options import PositiveInt, ViewOptions


class WindowsOptions(ViewOptions):
    """A window from each row's place in the stream on."""

    length: PositiveInt
    """Tokens that a network gets; a view has one more, the last that is to be predicted."""
    field: str = "tokens"
    """The stream."""

    def shape(self, sample: tuple[int, ...]) -> tuple[int, ...]:
        """(length, vocabulary)."""
        return self.length, sample[-1]
