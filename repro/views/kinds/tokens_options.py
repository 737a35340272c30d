"""Texts as views: cut or padded to one length."""

from __future__ import annotations

from pydantic import Field

from repro.options import PositiveInt, Probability, ViewOptions


class TokensOptions(ViewOptions):
    """`count` copies of each text; a network's dropout, or what is drawn here, tells them apart."""

    length: PositiveInt
    """Tokens of a view: longer texts are cut, shorter ones padded with token 0."""
    fields: tuple[str, ...] = Field(("tokens",), min_length=1)
    """Fields of the table; the copies of a further field (of pairs: `tokens_b`) follow those of the one before."""
    start: bool = False
    """Whether a view begins with the token `<cls>`, which takes part in the length."""
    delete: Probability = 0.0
    """Probability that a token is left out; those after it move up."""
    mask: Probability = 0.0
    """Probability that a token is replaced by `<mask>`."""

    def seeing(self, field: str) -> TokensOptions:
        return self.model_copy(update={"fields": (field,)})

    def shape(self, sample: tuple[int, ...]) -> tuple[int, ...]:
        """(length, vocabulary)."""
        return self.length, sample[-1]
