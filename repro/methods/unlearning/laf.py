"""Label-agnostic forgetting, Shen et al. 2024 (arXiv 2404.00506)."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.draws import Draws
from repro.engine.method import Method
from repro.methods.unlearning.laf_options import LAFOptions


class LAF(Method):
    """Takes samples out of the representation, without labels, in two turns a step.

    First remaining samples are to fit the autoencoder of all representations, and those that are forgotten not to fit
    their own; then remaining ones are to be as they were, and the others elsewhere. The main stream is what is
    forgotten, the stream `remain` the rest; `everything` and `forgotten` are networks of `laf_vae`, whose encoder is
    still the original one. Losses are those of the authors' code, ShaofeiShen768/LAF at bda3694, VUnlearning.py.
    """

    Options = LAFOptions
    guarded = ()

    def __init__(
        self, options: Any, encoder: nn.Module, head: nn.Module, everything: nn.Module, forgotten: nn.Module
    ):
        super().__init__(options, encoder, head)
        self.everything: Any = everything
        self.forgotten: Any = forgotten

    def train(self, mode: bool = True) -> Self:
        """In the authors' code BatchNorm keeps the statistics of the original network."""
        super().train(mode)
        self.encoder.eval()
        return self

    def embed(self, views: Tensor, remain_views: Tensor, draws: Draws, turn: int) -> dict[str, Tensor]:
        """views (n, 1, C, H, W), remain_views (n, 1, 1, C, H, W) -> of both the squared errors (n,) of their
        autoencoders, or in the second turn 1 − the cosine with the original representation.
        """
        inputs = {"forget": views[:, 0], "remain": remain_views.flatten(0, 2)}
        network = {"forget": self.forgotten, "remain": self.everything}
        found = {}
        for name, x in inputs.items():
            e, vae = self.encoder(x), network[name].head
            if turn == 0:
                reconstruction, *_ = vae.sampled(e, draws.normal(name, vae.latent))
                found[name] = (reconstruction - e).square().sum(1)
            else:
                found[name] = 1 - F.cosine_similarity(e, self.everything.encoder(x))
        return found

    def loss(self, forget: Tensor, remain: Tensor, turn: int) -> dict[str, Tensor]:
        """Both (N,) -> the loss of the turn, a sum over samples, with the means of both."""
        if turn == 0:
            loss = bounded(remain).sum() - bounded(forget).sum()
            return {"loss": loss, "remain_error": remain.mean(), "forget_error": forget.mean()}
        moved = (forget / self.options.temperature).logsumexp(0)
        loss = (remain - moved).sum()
        return {"loss": loss, "remain_change": remain.mean(), "forget_change": forget.mean()}


def bounded(error: Tensor) -> Tensor:
    """Squared errors m -> exp(m / (m + 1)), which is between 1 and e."""
    return torch.exp(error / (error + 1))
