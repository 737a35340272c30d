"""BYOL and SimSiam with linear encoder and predictor: Tian et al. 2021 (arXiv 2102.06810), sections 2 and 3."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.keys import generator, key
from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.negative_free.predictor_dynamics_options import PredictorDynamicsOptions


class PredictorDynamics(Stage):
    """Gradient descent in float64 on ½ E |W_p W x₁ − sg(W x₂)|² and weight decay, W and W_p both (d, d).

    Views x₁, x₂ = x̄ + noise, x̄ ~ N(0, I), noise of variance `noise`. `expectation` descends on the exact
    expectation, which with small `lr` follows the gradient flow; otherwise each step draws `samples`.
    W starts Gaussian, W_p as `start` I plus a Gaussian symmetric matrix of the scale `spread`. `variant`:
    `gradient` does not stop the gradient at the target, `no_predictor` fixes W_p = I. W_p's rate is `predictor_rate`
    α times lr. Time is lr times steps.

    Metrics: `decay`, the mean rate at which log ‖W Wᵀ − W_pᵀ W_p/α‖ falls; `norm`, ‖W‖; `top`, the largest
    eigenvalue of W_p's symmetric part; `collapsed`, how many are below half of it; `commutator`, ‖F W_p − W_p F‖
    over ‖F‖ ‖W_p‖, F = (1 + noise) W Wᵀ the embeddings' correlation, and `commutator_start`.
    """

    Options = PredictorDynamicsOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        model = Linear(o, generator(key(ctx.seed, ctx.stage, "weights"))).to(ctx.device)
        rates = [{"params": [model.w]}, {"params": [model.p], "lr": o.lr * o.predictor_rate}]
        rates[1]["weight_decay"] = o.weight_decay / o.predictor_rate
        optimizer = torch.optim.SGD(rates, o.lr, weight_decay=o.weight_decay)
        initial = model.facts()
        loop = Loop(ctx, o.steps, {"model": model, "optimizer": optimizer}, 1 if o.expectation else o.samples)
        for step in loop:
            loss = model()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if (step + 1) % max(1, o.steps // 20) == 0:
                loop.log(loss=loss, **model.facts())
        facts = model.facts()
        imbalance = max(facts.pop("imbalance"), 1e-300)
        decay = math.log(initial["imbalance"] / imbalance) / (o.lr * o.steps)
        metrics = {"decay": decay, "commutator_start": initial["commutator"], **facts}
        return Outcome(metrics, loop.curve, loop.facts)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"steps": 20, "samples": 32})


class Linear(nn.Module):
    """Encoder W and predictor W_p (d, d), and the loss."""

    def __init__(self, o: Any, random: torch.Generator):
        super().__init__()
        self.o = o
        noise = torch.randn(2, o.dim, o.dim, generator=random, dtype=torch.float64) / o.dim**0.5
        eye = torch.eye(o.dim, dtype=torch.float64)
        fixed = o.variant == "no_predictor"
        self.w = nn.Parameter(noise[0])
        predictor = eye if fixed else o.start * eye + o.spread * (noise[1] + noise[1].T) / 2
        self.p = nn.Parameter(predictor, requires_grad=not fixed)

    def forward(self) -> Tensor:
        target = self.w if self.o.variant == "gradient" else self.w.detach()
        if self.o.expectation:
            return expected_loss(self.p @ self.w, target, self.o.noise)
        shape = (self.o.samples, self.o.dim)
        clean = torch.randn(shape, dtype=torch.float64)
        x, y = (clean + self.o.noise**0.5 * torch.randn(shape, dtype=torch.float64) for _ in range(2))
        online, other = x.to(self.w.device) @ (self.p @ self.w).T, y.to(self.w.device) @ target.T
        return (online - other).square().sum(1).mean() / 2

    @torch.no_grad()
    def facts(self) -> dict[str, float]:
        """Norms and eigenvalues, as in the stage's metrics."""
        w, p = self.w, self.p
        gram = w @ w.T
        f = (1 + self.o.noise) * gram
        values = torch.linalg.eigvalsh((p + p.T) / 2)
        scale = (f.norm() * p.norm()).clamp(min=1e-300)
        return {
            "imbalance": (gram - p.T @ p / self.o.predictor_rate).norm().item(),
            "norm": w.norm().item(),
            "top": values[-1].item(),
            "collapsed": (values < values[-1] / 2).sum().item(),
            "commutator": ((f @ p - p @ f).norm() / scale).item(),
        }


def expected_loss(online: Tensor, target: Tensor, noise: float) -> Tensor:
    """½ E |A x₁ − B x₂|² for A, B (d, d): E x xᵀ = (1 + noise) I for each view and I between the two."""
    own = (1 + noise) * (online.square().sum() + target.square().sum())
    return own / 2 - (online * target).sum()


def fixed_points(noise: float, weight_decay: float) -> tuple[float, float] | None:
    """W_p's eigenvalues at the unstable and the stable equilibrium with ‖w‖² = p²/α; None where all modes collapse.

    p (1 − (1 + noise) p) = weight_decay, the zeros of the mode's speed (section 3.2).
    """
    discriminant = 1 - 4 * weight_decay * (1 + noise)
    if discriminant < 0:
        return None
    root = math.sqrt(discriminant)
    return (1 - root) / (2 * (1 + noise)), (1 + root) / (2 * (1 + noise))
