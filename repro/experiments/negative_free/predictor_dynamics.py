"""BYOL and SimSiam with linear encoder and predictor: Tian et al. 2021 (arXiv 2102.06810), sections 2 and 3."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.stage import Context
from repro.experiments.negative_free.predictor_dynamics_options import PredictorDynamicsOptions
from repro.keys import generator, key
from repro.stages.minimise import Minimise, Problem


class PredictorDynamics(Minimise):
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

    curve_points = 20

    def problem(self, ctx: Context) -> Linear:
        return Linear(self.options, generator(key(ctx.seed, ctx.stage, "weights")))

    def optimizer(self, problem: Linear) -> torch.optim.Optimizer:
        o = self.options
        rates = [{"params": [problem.w]}, {"params": [problem.p], "lr": o.lr * o.predictor_rate}]
        rates[1]["weight_decay"] = o.weight_decay / o.predictor_rate
        return torch.optim.SGD(rates, o.lr, weight_decay=o.weight_decay)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"steps": 20, "samples": 32})


class Linear(Problem):
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
        self.samples = 1 if o.expectation else o.samples
        self.initial = self.watched()

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
    def watched(self) -> dict[str, float]:
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

    def metrics(self) -> dict[str, float]:
        facts, o = self.watched(), self.o
        imbalance = max(facts.pop("imbalance"), 1e-300)
        decay = math.log(self.initial["imbalance"] / imbalance) / (o.lr * o.steps)
        return {"decay": decay, "commutator_start": self.initial["commutator"], **facts}


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
