"""TiCo's covariance term as a contrast with all embeddings so far: Zhu et al. 2022 (arXiv 2206.10698)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.method import unit
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.redundancy_reduction.tico_identity_options import TicoIdentityOptions
from repro.keys import generator, key
from repro.methods.redundancy_reduction.tico import TiCo
from repro.networks.build import Bare


class TicoIdentity(Stage):
    """TiCo's loss over batches of random unit vectors against squared similarities with all of them, in float64.

    Metrics: `loss_error` and `gradient_error`, the largest absolute differences of the loss and of its gradient to
    1 − E z·t + ρ (1 − β) Σ_k β^(T−k) E_i E_j (z_j·z_{k,i})², at any batch T.
    """

    Options = TicoIdentityOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        random = generator(key(ctx.seed, ctx.stage, "embeddings"))
        encoder = nn.Linear(1, 1)  # of no effect: the loss is called on given embeddings
        method = TiCo(TiCo.Options(name="tico", rho=o.rho, beta=o.beta), encoder, Bare(o.dim)).double()
        past: list[Tensor] = []
        losses, gradients = [], []
        for step in range(o.batches):
            z, t = unit(torch.randn(2, o.samples, o.dim, generator=random, dtype=torch.float64))
            past.append(z)
            ways = [one(z, t, past, method) for one in (by_method, by_memory)]
            losses.append((ways[0][0] - ways[1][0]).abs())
            gradients.append((ways[0][1] - ways[1][1]).abs().max())
            method.after_step(z[:, None], step, o.batches)
        errors = {"loss_error": max(losses).item(), "gradient_error": max(gradients).item()}
        return Outcome(errors, [{"batch": k + 1, "loss_error": e.item()} for k, e in enumerate(losses)])

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"batches": 3})


def by_method(z: Tensor, t: Tensor, past: list[Tensor], method: Any) -> tuple[Tensor, Tensor]:
    """TiCo's loss of z, t (N, d), and its gradient by z (N, d)."""
    z = z.clone().requires_grad_()
    loss = method.loss(z[:, None], t[:, None])
    return loss.detach(), torch.autograd.grad(loss, z)[0]


def by_memory(z: Tensor, t: Tensor, past: list[Tensor], method: Any) -> tuple[Tensor, Tensor]:
    """The same from all embeddings so far (the last of them z): the gradient passes through z, also as a memory."""
    z = z.clone().requires_grad_()
    loss = memory_loss(z, t, [*past[:-1], z], method.options)
    return loss.detach(), torch.autograd.grad(loss, z)[0]


def memory_loss(z: Tensor, t: Tensor, past: list[Tensor], o: Any) -> Tensor:
    """z, t (N, d), past of T batches (N, d) -> 1 − E z·t + ρ (1 − β) Σ_k β^(T−k) E_i E_j (z_j·z_{k,i})²."""
    age = range(len(past) - 1, -1, -1)
    contrast = sum(o.beta**a * (z @ one.T).square().mean() for a, one in zip(age, past, strict=True))
    return 1 - (z * t).sum(1).mean() + o.rho * (1 - o.beta) * contrast
