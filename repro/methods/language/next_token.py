"""Language modelling: the likelihood of each token after those before it, as in Brown et al. 2020, section 2."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional as F

from repro.engine.method import Method, exact
from repro.methods.language.next_token_options import NextTokenOptions


class NextToken(Method):
    """Cross-entropy of the next token, the mean over all tokens of the batch but each text's first.

    The encoder gives a state for every token and has `logits`. Padding (token 0) is not predicted.
    """

    Options = NextTokenOptions

    guarded = ()

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 1, L) -> nats (n,) of all of a text, and how many tokens (n,) they are of."""
        nats, there = token_nats(self.encoder, views[:, 0])
        return {"nats": nats.sum(1), "tokens": there.sum(1)}

    def loss(self, nats: Tensor, tokens: Tensor) -> Tensor:
        """nats, tokens (N,) of the whole batch -> nats per token."""
        return nats.sum() / tokens.sum()


def token_nats(encoder: Any, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """tokens (n, L) -> −log p of every token but the first (n, L − 1), 0 for padding, and which are none."""
    after = tokens[:, 1:]
    logits = exact(encoder.logits(encoder(tokens[:, :-1])))
    nats = F.cross_entropy(logits.transpose(1, 2), after, ignore_index=0, reduction="none")
    return nats, after != 0
