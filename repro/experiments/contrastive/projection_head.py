"""Layers of a linear network weight the features progressively: Xue et al. 2024 (arXiv 2403.11391), section 3."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.contrastive.projection_head_options import ProjectionHeadOptions
from repro.keys import generator, key
from repro.pictures import plot


class ProjectionHead(Stage):
    """Gradient descent in float64 on the spectral contrastive loss of z = W₂ W₁ x, W₁ (h, d) and W₂ (p, h).

    The d features of a sample are N(0, I); each of its two views adds noise of the variance `noise[j]` to feature j.
    The loss is its expectation or, with `samples`, that of so many pairs drawn at each step. W₁ starts Gaussian of
    the scale `start` and W₂ random with W₂ᵀ W₂ = W₁ W₁ᵀ. W₁ x is the representation before the head, z after it.

    Metrics, the weight of a feature being the length of its column in W₁ or W₂ W₁: `slope` of the logarithms of the
    weights after against before the head; `ratio_pre`, `ratio_post`, the largest weight over the smallest; `error`,
    the largest relative difference of a weight from its closed form; `balance`, ‖W₂ᵀ W₂ − W₁ W₁ᵀ‖/‖W₁ W₁ᵀ‖.

    Downstream, y is one feature, given for `shots` clean samples and fitted by the linear map of the smallest norm
    from either representation. `weak_pre` and `weak_post`, where y is the feature with the most noise, `strong_pre`
    and `strong_post`, with the least: the squared error on new samples, over `draws` fits, in units of y's variance.
    """

    Options = ProjectionHeadOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        variance = torch.tensor(o.noise, dtype=torch.float64, device=ctx.device)
        model = Layers(o, generator(key(ctx.seed, ctx.stage, "weights"))).to(ctx.device)
        optimizer = torch.optim.SGD(model.parameters(), o.lr)
        loop = Loop(ctx, o.steps, {"model": model, "optimizer": optimizer}, o.samples or 1)
        for step in loop:
            w = model.second @ model.first
            loss = sampled_loss(w, variance, o.samples) if o.samples else expected_loss(w, variance)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if (step + 1) % max(1, o.steps // 50) == 0:
                pre, post = (m.detach().norm(dim=0) for m in (model.first, model.second @ model.first))
                loop.log(loss=loss, slope=slope(pre, post), strongest=post.max(), weakest=post.min())
        first, second = model.first.detach().cpu(), model.second.detach().cpu()
        pre, post = first.norm(dim=0), (second @ first).norm(dim=0)
        theory = closed_form(torch.tensor(o.noise, dtype=torch.float64))
        if ctx.setup.main:
            curves = {"features": (pre.sort().values.tolist(), post.sort().values.tolist())}
            square = {"square": (theory.sqrt().sort().values.tolist(), theory.sort().values.tolist())}
            path = ctx.picture("weights.svg")
            plot(path, curves, "weight before the head", "weight after it", square, log="xy")
        before = first @ first.T
        metrics = {
            "slope": slope(pre, post),
            "ratio_pre": (pre.max() / pre.min()).item(),
            "ratio_post": (post.max() / post.min()).item(),
            "error": max((post / theory - 1).abs().max(), (pre / theory.sqrt() - 1).abs().max()).item(),
            "balance": ((second.T @ second - before).norm() / before.norm()).item(),
        }
        for name, target in (("weak", int(theory.argmin())), ("strong", int(theory.argmax()))):
            for where, layer in (("pre", first), ("post", second @ first)):
                random = generator(key(ctx.seed, ctx.stage, "downstream"))
                metrics[f"{name}_{where}"] = downstream(layer, target, o.shots, o.draws, random)
        return Outcome(metrics, loop.curve, loop.facts)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"steps": 20, "samples": options.samples and 16, "draws": 10})


class Layers(nn.Module):
    """W₁ and W₂, balanced at the start: the inner singular vectors are common, the outer ones of W₂ random."""

    def __init__(self, o: Any, random: torch.Generator):
        super().__init__()
        shapes = (o.hidden, len(o.noise)), (o.out, o.out)
        first, mixing = (torch.randn(s, generator=random, dtype=torch.float64) for s in shapes)
        left, sizes, _ = torch.linalg.svd(first, full_matrices=False)
        turned = torch.linalg.qr(mixing).Q[:, : len(sizes)]
        self.first = nn.Parameter(o.start * first)
        self.second = nn.Parameter(o.start * turned * sizes @ left.T)


def expected_loss(w: Tensor, variance: Tensor) -> Tensor:
    """W (p, d) -> −2 E z·z⁺ + E (z·z⁻)²: two views share the covariance I, a view's own is I + diag(variance)."""
    own = (w * (1 + variance)) @ w.T
    return own.square().sum() - 2 * w.square().sum()


def sampled_loss(w: Tensor, variance: Tensor, pairs: int) -> Tensor:
    """W (p, d) -> the loss on so many pairs, the negatives all views of other samples; unbiased."""
    clean = torch.randn(pairs, 1, len(variance), dtype=w.dtype)
    noise = torch.randn(pairs, 2, len(variance), dtype=w.dtype)
    z = (clean.to(w.device) + noise.to(w.device) * variance.sqrt()) @ w.T
    x, y = z.unbind(1)
    products = (x @ y.T).square()
    negative = (products.sum() - products.diagonal().sum()) / (pairs * (pairs - 1))
    return negative - 2 * (x * y).sum(1).mean()


def closed_form(variance: Tensor) -> Tensor:
    """The weights (d,) after the head at the minimum; before it, from a balanced start, their square roots.

    With S = diag(1 + variance) and M = W S^½ the loss is ‖MᵀM − S⁻¹‖² − ‖S⁻¹‖², so that WᵀW = S⁻².
    """
    return 1 / (1 + variance)


def slope(pre: Tensor, post: Tensor) -> float:
    """Of the line through log post against log pre, both (d,), by least squares."""
    x, y = pre.log() - pre.log().mean(), post.log() - post.log().mean()
    return (x @ y / (x @ x)).item()


def downstream(layer: Tensor, target: int, shots: int, draws: int, random: torch.Generator) -> float:
    """The mean squared error on x ~ N(0, I) of the fit of x[target] on layer (p, d) x, from `shots` samples."""
    x = torch.randn(draws, shots, layer.shape[1], generator=random, dtype=layer.dtype)
    found = layer.T @ torch.linalg.pinv(x @ layer.T, rtol=1e-9) @ x[..., target, None]
    found[:, target] -= 1
    return found.square().sum((1, 2)).mean().item()
