"""VICReg's optimum as a spectral embedding: Balestriero and LeCun 2022 (arXiv 2205.11508)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.stage import Context
from repro.experiments.contrastive.augmentation_graph import outside
from repro.experiments.redundancy_reduction.vicreg_spectral_options import VicregSpectralOptions
from repro.keys import generator, key
from repro.stages.minimise import Minimise, Problem


class VicregSpectral(Minimise):
    """Minimises a ‖Zᵀ H Z/N − I‖² + (g/N) tr(Zᵀ L Z) over N embeddings of dimension `dim`, in float64.

    H centres, L = D − G, G the graph of positive pairs: a ring of N points with edges of weight 1, or, with
    `classes`, edges of weight `classes`/N between all points of a class. `wobble` multiplies the weights by
    log-normal factors. With `inputs`, Z = X W for Gaussian X (N, inputs); otherwise Z is free. Each step is up to
    50 iterations of L-BFGS.

    Metrics: `loss`; `gap`, the loss less its closed-form minimum; `values_error`, the largest difference of the
    singular values of H Z/√N to √(1 − g μ/(2a)); `angle`, the sine of the largest angle of H Z to the optimum's;
    `error`, of a linear probe of the classes on Z, in % (0 without classes).
    """

    Options = VicregSpectralOptions

    def problem(self, ctx: Context) -> Embeddings:
        o, random = self.options, generator(key(ctx.seed, ctx.stage, "problem"))
        x = None
        if o.inputs:
            x = torch.randn(o.points, o.inputs, generator=random, dtype=torch.float64)
        return Embeddings(o, laplacian(o, random), x, random)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"steps": 1})


class Embeddings(Problem):
    """The loss as a function of Z (N, dim) or of W (inputs, dim)."""

    def __init__(self, o: Any, laplacian: Tensor, x: Tensor | None, random: torch.Generator):
        super().__init__()
        self.o, self.samples, self.laplacian = o, o.points, nn.Buffer(laplacian, persistent=False)
        self.x = nn.Buffer(torch.eye(o.points, dtype=torch.float64) if x is None else x, persistent=False)
        self.free = nn.Parameter(torch.randn(self.x.shape[1], o.dim, generator=random, dtype=torch.float64))

    def embeddings(self) -> Tensor:
        return self.x @ self.free

    def forward(self) -> Tensor:
        z, n = self.embeddings(), len(self.x)
        covariance = (z - z.mean(0)).T @ (z - z.mean(0)) / n
        eye = torch.eye(self.o.dim, dtype=z.dtype, device=z.device)
        spread = self.o.covariance * (covariance - eye).square().sum()
        return spread + self.o.invariance / n * (z * (self.laplacian @ z)).sum()

    def metrics(self) -> dict[str, float]:
        o, loss, z = self.o, self().item(), self.embeddings().cpu()
        mu, space = closed_form(self.laplacian.cpu(), self.x.cpu() if o.inputs else None, o.dim)
        kept = 1 - o.invariance * mu / (2 * o.covariance)
        kept = kept.clamp(min=0)
        least = (o.covariance * (kept - 1).square() + o.invariance * mu * kept).sum().item()
        z = z - z.mean(0)
        values = torch.linalg.svdvals(z) / o.points**0.5
        label = torch.arange(o.points) // (o.points // (o.classes or 1))
        design = torch.cat([z, torch.ones_like(z[:, :1])], 1)
        wrong = (design @ torch.linalg.pinv(design) @ F.one_hot(label).to(z.dtype)).argmax(1) != label
        return {
            "loss": loss,
            "gap": loss - least,
            "values_error": (values - kept.sqrt()).abs().max().item(),
            "angle": outside(z, space),
            "error": 100 * wrong.double().mean().item(),
        }


def laplacian(o: Any, random: torch.Generator) -> Tensor:
    """L = D − G (N, N)."""
    if o.classes:
        size = o.points // o.classes
        block = torch.full((size, size), 1 / size, dtype=torch.float64)
        g = torch.block_diag(*[block] * o.classes)
    else:
        g = torch.eye(o.points, dtype=torch.float64)
        g = g.roll(1, 0) + g.roll(-1, 0)
    noise = torch.randn(o.points, o.points, generator=random, dtype=torch.float64)
    g = g * (o.wobble * (noise + noise.T)).exp()
    return g.sum(1).diag() - g


def closed_form(laplacian: Tensor, x: Tensor | None, dim: int) -> tuple[Tensor, Tensor]:
    """The `dim` least μ of Xᵀ L X w = μ Xᵀ H X w and an orthonormal basis of H X w for those and equal ones (N, m).

    Free Z: the eigenvectors of L orthogonal to 1.
    """
    n = len(laplacian)
    inputs = torch.eye(n, dtype=laplacian.dtype) if x is None else x
    basis, sizes, right = torch.linalg.svd(inputs - inputs.mean(0), full_matrices=False)
    rank = int((sizes > 1e-10 * sizes[0]).sum())
    maps = inputs @ (right[:rank].T / sizes[:rank])  # with H maps = basis
    mu, w = torch.linalg.eigh(maps.T @ laplacian @ maps)
    return mu[:dim], basis[:, :rank] @ w[:, mu <= mu[dim - 1] + 1e-9]
