"""Options of views of the kind `tokens`."""

from __future__ import annotations

from pydantic import PositiveInt

from repro.options import ViewOptions


class TokensOptions(ViewOptions):
    """Texts as their first tokens, padded with 0."""

    length: PositiveInt
    """Tokens of a text that are kept."""
    field: str = "tokens"
    """The field that holds them."""

    def shape(self, sample: tuple[int, ...]) -> tuple[int, ...]:
        return self.length, sample[1]
