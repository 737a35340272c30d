"""The linear Barlow Twins model learns one mode after the other: Simon et al. 2023 (arXiv 2303.15438)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.generalisation.stepwise_barlow_options import StepwiseBarlowOptions
from repro.keys import generator, key
from repro.pictures import plot


class StepwiseBarlow(Stage):
    """Gradient descent in float64 on ‖W Γ Wᵀ − I‖_F², W (d, m), from weights of size `scale`.

    Γ has the eigenvalues `spectrum` (falling, m of them) in random directions. `aligned` starts at `scale` times the
    first d of these directions in random rotation; `random` at Gaussian weights, whose effective aligned start is
    the diagonal of R in the QR decomposition of W's coordinates in Γ's eigenvectors. Time is lr times steps.

    Metrics: `time_1` … `time_d`, when W Γ Wᵀ gets its j-th eigenvalue above ½ (or the end); `time_error`, the largest
    relative difference to the closed form, and `naive_error`, the same with `scale` in place of the effective start;
    `plateau_error`, the largest of |loss − (d − j)| halfway (in log time) between the times j and j + 1;
    `trajectory_error`, the largest of the eigenvalues' differences to the closed form; `loss`, the last;
    `embedding_error`, ‖Wᵀ W − Γ⁻¹ restricted to the top d‖ over the latter's norm.
    """

    Options = StepwiseBarlowOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        g = torch.tensor(o.spectrum, dtype=torch.float64)
        model = Model(o, g, generator(key(ctx.seed, ctx.stage, "start"))).to(ctx.device)
        sizes, naive = model.sizes.cpu(), torch.full((o.dim,), o.scale, dtype=torch.float64)
        optimizer = torch.optim.SGD(model.parameters(), o.lr)
        history = nn.Buffer(torch.zeros(o.steps, o.dim + 1, dtype=torch.float64))
        kept = nn.Module()
        kept.register_buffer("history", history)
        loop = Loop(ctx, o.steps, {"model": model, "optimizer": optimizer, "kept": kept}, 1)
        for step in loop:
            cross = model()
            loss = (cross - torch.eye(o.dim, dtype=cross.dtype, device=cross.device)).square().sum()
            optimizer.zero_grad()
            loss.backward()
            values = torch.linalg.eigvalsh(cross.detach()).flip(0)
            history[step] = torch.cat([loss.detach()[None], values]).cpu()
            optimizer.step()
            if (step + 1) % max(1, o.steps // 50) == 0:
                loop.log(loss=loss)
        time = o.lr * torch.arange(o.steps, dtype=torch.float64)
        losses, values = history[:, 0], history[:, 1:]
        found = torch.stack([crossing(time, v) for v in values.T])
        expected = half_time(sizes, g[: o.dim])
        middle = (found[:-1] * found[1:]).sqrt()
        levels = losses[torch.searchsorted(time, middle).clamp(max=o.steps - 1)]
        plateaus = o.dim - torch.arange(1, o.dim)
        exact = (trajectory(time[:, None], sizes, g[: o.dim]) * g[: o.dim]).sort(1, descending=True).values
        if ctx.setup.main:
            draw(ctx, time, losses, (exact - 1).square().sum(1))
        top = model.vectors[:, : o.dim]
        best = top / g[: o.dim].to(top.device) @ top.T
        final = model.w.detach().T @ model.w.detach()
        metrics = {
            "time_error": (found / expected - 1).abs().max().item(),
            "naive_error": (found / half_time(naive, g[: o.dim]) - 1).abs().max().item(),
            "plateau_error": (levels - plateaus).abs().max().item(),
            "trajectory_error": (values - exact).abs().max().item(),
            "loss": losses[-1].item(),
            "embedding_error": ((final - best).norm() / best.norm()).item(),
        }
        metrics |= {f"time_{j}": value for j, value in enumerate(found.tolist(), start=1)}
        return Outcome(metrics, loop.curve, loop.facts)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"steps": 100})


class Model(nn.Module):
    """W (d, m), with Γ (m, m); `sizes` (d,) are the effective aligned starts s_j(0)."""

    def __init__(self, o: Any, g: Tensor, random: torch.Generator):
        super().__init__()
        m, dtype = len(g), torch.float64
        vectors = torch.linalg.qr(torch.randn(m, m, generator=random, dtype=dtype)).Q
        rotation = torch.linalg.qr(torch.randn(o.dim, o.dim, generator=random, dtype=dtype)).Q
        start = (
            rotation @ vectors[:, : o.dim].T
            if o.start == "aligned"
            else torch.randn(o.dim, m, generator=random, dtype=dtype)
        )
        self.w = nn.Parameter(o.scale * start)
        self.gamma = nn.Buffer(vectors * g @ vectors.T, persistent=False)
        self.vectors = nn.Buffer(vectors, persistent=False)
        self.sizes = nn.Buffer(effective_start(o.scale * start @ vectors), persistent=False)

    def forward(self) -> Tensor:
        return self.w @ self.gamma @ self.w.T


def draw(ctx: Context, time: Tensor, losses: Tensor, exact: Tensor) -> None:
    """The loss against time, in steps, and that of the closed form; all (steps,), some 300 of them shown."""
    some = torch.logspace(0, math.log10(len(time)), 300).long().unique().clamp(max=len(time) - 1)
    found, theory = ((time[some].tolist(), values[some].tolist()) for values in (losses, exact))
    name = ctx.picture("loss.svg")
    plot(name, {"loss": found}, "time (rate × steps)", "loss", {"closed form": theory}, log="x")


def effective_start(w: Tensor) -> Tensor:
    """W (d, m) in Γ's eigenvectors -> |R_jj| (d,): what of column j is orthogonal to the columns before it."""
    return torch.linalg.qr(w[:, : len(w)]).R.diagonal().abs()


def trajectory(time: Tensor, start: Tensor, g: Tensor) -> Tensor:
    """The squared singular value s² at a time, from s(0) = start: ds/dt = 4 g s (1 − g s²), a logistic curve."""
    return 1 / (g + (start**-2 - g) * (-8 * g * time).exp())


def half_time(start: Tensor, g: Tensor) -> Tensor:
    """When g s² = ½: log(1/(g s(0)²) − 1)/(8 g), the paper's −log(s(0)² g)/(8 g) for a small start."""
    return (1 / (g * start.square()) - 1).log() / (8 * g)


def crossing(time: Tensor, values: Tensor) -> Tensor:
    """The first time at which the values (n,) pass ½, linearly interpolated; the last time if they never do."""
    above = (values >= 0.5).nonzero()
    if len(above) == 0 or above[0] == 0:
        return time[-1]
    i = int(above[0])
    share = (0.5 - values[i - 1]) / (values[i] - values[i - 1])
    return time[i - 1] + share * (time[i] - time[i - 1])
