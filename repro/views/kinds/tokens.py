"""Texts as tokens."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from repro.data.table import Ragged
from repro.views.draws import Draws
from repro.views.kinds.tokens_options import TokensOptions


class Tokens:
    """The first `length` tokens of the field, 0 where there are fewer. All views of a text are the same."""

    Options = TokensOptions

    def __init__(self, options: Any):
        self.options = options

    def __call__(self, fields: dict[str, Any], draws: Draws) -> dict[str, Tensor]:
        """views (n, V, length) int64."""
        tokens = self.plain(fields).to(draws.index.device)
        return {"views": tokens[:, None].repeat(1, self.options.count, 1)}

    def plain(self, fields: dict[str, Any]) -> Tensor:
        """(n, length) int64."""
        tokens: Ragged = fields[self.options.field]
        return tokens.padded(self.options.length)
