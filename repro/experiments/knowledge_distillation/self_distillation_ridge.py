"""Self-distillation in ridge regression with noisy labels: Das and Sanghavi 2023 (arXiv 2301.13304)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.knowledge_distillation.self_distillation_ridge_options import (
    SelfDistillationRidgeOptions,
)
from repro.keys import generator, key
from repro.pictures import plot


class SelfDistillationRidge(Stage):
    """A student fitted to ξ times its teacher's predictions plus 1 − ξ times the labels, both by ridge regression.

    X (n, d) has random singular vectors and singular values that fall geometrically from `largest` to `smallest`;
    θ has unit length and its coefficient on the singular vector of s is in proportion to s^`alignment`. Labels are
    Xθ plus noise of the standard deviation `noise`. Errors are E ‖θ̂ − θ‖². Noise takes the 2n values ±`noise` √n e_i:
    its mean and covariance are those of independent Gaussian noise, so that the mean over them is the expectation.

    Metrics: `xi`, the best ξ at `ridge`, and `student`, its error; `teacher`, the teacher's; `best_teacher` and
    `best_student`, the smallest errors over all ridges (a grid) and, of the student, all ξ; `gain`, their difference.
    The picture error.svg shows the student's error against ξ.
    """

    Options = SelfDistillationRidgeOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        x, theta = (t.to(ctx.device) for t in design(o, generator(key(ctx.seed, ctx.stage, "design"))))
        extremes = o.noise * o.samples**0.5 * torch.eye(o.samples, dtype=x.dtype, device=x.device)
        labels = x @ theta + torch.cat([extremes, -extremes])
        parabola = student_errors(x, theta, labels, o.ridge)
        xi, student = lowest(parabola)
        over = [student_errors(x, theta, labels, r) for r in torch.logspace(-4, 4, o.ridges).tolist()]
        best = {
            "best_teacher": min(p[0].item() for p in over),
            "best_student": min(lowest(p)[1] for p in over),
        }
        if ctx.setup.main:
            at = torch.linspace(-1, 4, 101, dtype=torch.float64)
            error = (at[:, None] ** torch.arange(3) @ parabola.cpu()).tolist()
            teacher = {
                "teacher": parabola[0].item(),
                "closed-form optimum": ([optimal_xi(o)] * 2, [0, max(error)]),
            }
            plot(ctx.picture("error.svg"), {"student": (at.tolist(), error)}, "ξ", "E ‖θ̂ − θ‖²", teacher)
        metrics = {"xi": xi, "teacher": parabola[0].item(), "student": student, **best}
        return Outcome({**metrics, "gain": best["best_teacher"] - best["best_student"]})

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"dim": 4, "samples": 6, "ridges": 11})


def modes(o: Any) -> tuple[Tensor, Tensor]:
    """Singular values (d,) and θ's coefficients (d,) on their vectors."""
    share = torch.linspace(0, 1, o.dim, dtype=torch.float64)
    s = o.largest * (o.smallest / o.largest) ** share
    return s, s**o.alignment / (s**o.alignment).norm()


def design(o: Any, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """X (n, d) and θ (d,), float64, the modes in random orthogonal directions."""
    s, coefficients = modes(o)
    left, right = (
        torch.linalg.qr(torch.randn(size, o.dim, generator=random, dtype=torch.float64)).Q
        for size in (o.samples, o.dim)
    )
    return left * s @ right.T, right @ coefficients


def fit(x: Tensor, labels: Tensor, ridge: float) -> Tensor:
    """Ridge regression of labels (m, n), one problem a row -> θ̂ (m, d), the minimum of ‖Xθ − y‖² + ridge ‖θ‖²."""
    gram = x.T @ x + ridge * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    return torch.linalg.solve(gram, x.T @ labels.T).T


def student_errors(x: Tensor, theta: Tensor, labels: Tensor, ridge: float) -> Tensor:
    """The mean error of the student as a polynomial in ξ, (3,): by ξ = 0, the teacher, 1 and 2."""
    predictions = fit(x, labels, ridge) @ x.T
    at = [
        (fit(x, xi * predictions + (1 - xi) * labels, ridge) - theta).square().sum(1).mean()
        for xi in range(3)
    ]
    bend = (at[2] - 2 * at[1] + at[0]) / 2
    return torch.stack([at[0], at[1] - at[0] - bend, bend])


def lowest(parabola: Tensor) -> tuple[float, float]:
    """Where c_0 + c_1 ξ + c_2 ξ² (3,) is smallest, and the value there."""
    c = parabola.tolist()
    xi = -c[1] / (2 * c[2])
    return xi, c[0] + c[1] * xi / 2


def optimal_xi(o: Any) -> float:
    """The best ξ in closed form, with a = s²/(s² + ridge), b = 1 − a of every mode (θ its coefficient, γ the noise).

    The teacher keeps the share a of a mode and the student a (1 − ξ b), so that the error is
    Σ θ² (1 − a (1 − ξ b))² + γ² Σ a² (1 − ξ b)²/s², which is smallest at
    ξ = Σ (γ² a/s² − θ² b) a b / Σ (γ²/s² + θ²) a² b².
    """
    s, theta = modes(o)
    a = s**2 / (s**2 + o.ridge)
    b, variance = 1 - a, o.noise**2 / s**2
    return (
        ((variance * a - theta**2 * b) * a * b).sum() / ((variance + theta**2) * (a * b) ** 2).sum()
    ).item()
