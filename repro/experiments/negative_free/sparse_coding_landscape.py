"""Contrastive and non-contrastive learning of a sparse code: Pokle et al. 2022 (arXiv 2203.15702), experiments.

Data, networks and losses are those of the authors' cl_vs_ncl_one_hot.sh; their code has no BatchNorm in the network
without contrast, although it is asked for.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro import pictures
from repro.engine.loop import Loop
from repro.engine.method import unit
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.negative_free.sparse_coding_landscape_options import SparseCodingLandscapeOptions
from repro.keys import generator, key, permutation


class SparseCodingLandscape(Stage):
    """Learns from x = M z + ε with random masks, by InfoNCE or by alignment alone, and asks whether W finds M.

    M (`dim`, `latents`) has orthonormal columns, z is one-hot (all of the same sign in one run), ε Gaussian of
    standard deviation `noise`. The two views of x are two independent masks, that keep an entry with probability
    `keep`. Each of `neurons` units has a weight vector from N(0, 1/(dim · latents)).

    With the loss `infonce` both views pass through the same layer and BatchNorm, and batches are full. With
    `alignment` each view has a layer of its own, without BatchNorm, and the two are updated in turn, from batch to
    batch, with the other's representation held fixed.

    Metrics, of the (first) layer at the end: `max_cosine`, `median_cosine` and `min_cosine`, over the columns of M,
    of the largest |cosine| with any unit's weights, and `start_cosine`, the median before training; `alignment`, the
    mean cosine of the representations of two views of a sample, and `similarity`, of two samples' (1 if collapsed).
    """

    Options = SparseCodingLandscapeOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        random = generator(key(ctx.seed, ctx.stage))
        dictionary, data = sparse_code(o, random)
        contrastive = o.loss == "infonce"
        torch.manual_seed(key(ctx.seed, ctx.stage, "bias"))
        nets = [Layer(o, contrastive).to(ctx.device) for _ in range(1 if contrastive else 2)]
        optimizers = [torch.optim.SGD(net.parameters(), o.lr) for net in nets]
        start = recovery(nets[0].linear.weight.detach().cpu(), dictionary)
        chunks = o.samples // o.batch if contrastive else math.ceil(o.samples / o.batch)
        parts: dict[str, Any] = {"nets": nn.ModuleList(nets)}
        parts |= {f"optimizer_{i}": optimizer for i, optimizer in enumerate(optimizers)}
        loop = Loop(ctx, o.epochs * chunks, parts, o.batch)
        every = max(1, loop.total // 100)
        for step in loop:
            epoch, chunk = divmod(step, chunks)
            order = permutation(key(ctx.seed, ctx.stage, "order", epoch), o.samples)
            views = masked(data[order[chunk * o.batch : (chunk + 1) * o.batch]], o.keep)
            a, b = (net(view.to(ctx.device)) for net, view in zip([nets[0], nets[-1]], views, strict=True))
            turn = 0 if contrastive else chunk % 2
            loss = nt_xent(a, b, o.temperature) if contrastive else distance(a, b, turn)
            optimizers[turn].zero_grad()
            loss.backward()
            optimizers[turn].step()
            if step % every == 0 or step == loop.total - 1:
                found = recovery(nets[0].linear.weight.detach().cpu(), dictionary)
                loop.log(loss=loss, median=found.median(), min=found.min())
        found = recovery(nets[0].linear.weight.detach().cpu(), dictionary)
        torch.manual_seed(key(ctx.seed, ctx.stage, "evaluation"))
        with torch.no_grad():
            views = masked(data, o.keep)
            a, b = (net(view.to(ctx.device)) for net, view in zip([nets[0], nets[-1]], views, strict=True))
        metrics = {
            "max_cosine": found.max().item(),
            "median_cosine": found.median().item(),
            "min_cosine": found.min().item(),
            "start_cosine": start.median().item(),
            "alignment": (a * b).sum(1).mean().item(),
            "similarity": (a.mean(0) @ b.mean(0)).item(),
        }
        if ctx.setup.main:
            steps = [point["step"] for point in loop.curve]
            curves = {name: (steps, [point[name] for point in loop.curve]) for name in ("median", "min")}
            pictures.plot(ctx.picture("cosines.svg"), curves, "step", "largest |cosine| with a column of M")
        return Outcome(metrics, loop.curve, loop.facts)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"samples": 64, "batch": 16, "epochs": 2})


class Layer(nn.Module):
    """x (n, dim) -> unit rows of relu(y) − relu(2 b − y), y = W x + b (n, neurons), or BatchNorm's of it.

    Without BatchNorm that is the symmetric relu(W x + b) − relu(b − W x).
    """

    def __init__(self, o: Any, norm: bool):
        super().__init__()
        self.linear = nn.Linear(o.dim, o.neurons)
        nn.init.normal_(self.linear.weight, std=(o.dim * o.latents) ** -0.5)
        self.norm = nn.BatchNorm1d(o.neurons) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.linear(x))
        return unit(F.relu(y) - F.relu(2 * self.linear.bias - y))


def sparse_code(o: Any, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """M (dim, latents) and the samples (samples, dim)."""
    dictionary = torch.linalg.qr(torch.randn(o.dim, o.latents, generator=random)).Q
    sign = 2 * torch.randint(2, (), generator=random) - 1
    latent = torch.randint(o.latents, (o.samples,), generator=random)
    noise = torch.randn(o.samples, o.dim, generator=random)
    return dictionary, sign * dictionary.T[latent] + o.noise * noise


def masked(x: Tensor, keep: float) -> Tensor:
    """Two views (2, n, dim) of x, by torch's own generator."""
    return x * (torch.rand(2, *x.shape) < keep)


def nt_xent(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Unit rows a, b (n, d): cross-entropy of each one's partner among all 2 n − 1 others."""
    z, n = torch.cat([a, b]), len(a)
    logits = (z @ z.T / temperature).fill_diagonal_(-math.inf)
    return F.cross_entropy(logits, torch.arange(2 * n, device=z.device).roll(n))


def distance(a: Tensor, b: Tensor, turn: int) -> Tensor:
    """2 − 2 cos of unit rows a, b (n, d), with the gradient for a (turn 0) or b (turn 1) only."""
    pair = (a, b.detach()) if turn == 0 else (a.detach(), b)
    return 2 - 2 * (pair[0] * pair[1]).sum(1).mean()


def recovery(weight: Tensor, dictionary: Tensor) -> Tensor:
    """For each column of M (dim, k), the largest |cosine| with a row of W (m, dim): (k,)."""
    return (unit(weight) @ dictionary).abs().amax(0)
