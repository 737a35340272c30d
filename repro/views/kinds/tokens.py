"""Views of texts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from repro.data.vocabulary import MASK, PAD, START
from repro.views.draws import Draws
from repro.views.field import field
from repro.views.kinds.tokens_options import TokensOptions


class Tokens:
    """Ragged fields of tokens -> `views` (n, V, L) int64, copies of each field; the batch has no part in it."""

    Options = TokensOptions

    def __init__(self, options: TokensOptions) -> None:
        self.options = options

    def __call__(self, fields: dict[str, Any], draws: Draws) -> dict[str, Tensor]:
        o, views = self.options, list[Tensor]()
        for name in o.fields:
            texts = field(fields, name)
            for _ in range(o.count):
                views.append(self._view(texts, replace(draws, view=len(views))))
        return {"views": torch.stack(views, 1)}

    def plain(self, fields: dict[str, Any]) -> Tensor:
        """(n, L) without random changes; of several fields (n, fields, L)."""
        found = [self._cut(field(fields, name).padded(self._room)) for name in self.options.fields]
        return found[0] if len(found) == 1 else torch.stack(found, 1)

    @property
    def _room(self) -> int:
        """The length without `<cls>`."""
        return self.options.length - self.options.start

    def _view(self, texts: Any, draws: Draws) -> Tensor:
        o, device = self.options, draws.index.device
        if not (o.delete or o.mask):
            return self._cut(texts.padded(self._room).to(device))
        longest = int(texts.lengths.max()) if len(texts) else 0
        tokens = texts.padded(max(longest, self._room)).to(device)
        there, count = tokens != PAD, tokens.shape[1]
        if o.mask:
            tokens = tokens.masked_fill(there & (draws.unit("mask", count) < o.mask), MASK)
        if o.delete:
            tokens = _without(tokens, there & (draws.unit("delete", count) < o.delete))
        return self._cut(tokens)

    def _cut(self, tokens: Tensor) -> Tensor:
        tokens = tokens[:, : self._room]
        if not self.options.start:
            return tokens
        return torch.cat([tokens.new_full((len(tokens), 1), START), tokens], 1)


def _without(tokens: Tensor, gone: Tensor) -> Tensor:
    """tokens, gone (n, L) -> (n, L): those that stay, in their order, and padding after them."""
    order = gone.to(torch.uint8).argsort(dim=1, stable=True)
    return tokens.masked_fill(gone, PAD).gather(1, order)
