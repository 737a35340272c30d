"""Instance discrimination with a memory bank (NPID), Wu et al. 2018 (arXiv 1805.01978)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.method import Method, unit
from repro.methods.contrastive.npid_options import NPIDOptions
from repro.methods.parts.memory import Bank


class NPID(Method):
    """Every sample is its own class, and the bank's row for it the class's weight. One view per sample.

    With `negatives` it is noise-contrastive estimation (section 3.2). The constant Z comes from the first batch and
    the whole bank, where the paper takes the drawn rows. `bank_momentum` takes the place of the proximal term
    (section 3.3), as in the authors' code.
    """

    Options = NPIDOptions

    bank: Bank
    log_z: Tensor

    def __init__(self, options: Any, encoder: nn.Module, head: nn.Module):
        super().__init__(options, encoder, head)
        self.register_buffer("log_z", torch.tensor(torch.nan))

    def begin(self, samples: int) -> None:
        self.bank = Bank(samples, self.head.dim, next(self.parameters()).device)  # type: ignore[arg-type]

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 1, C, H, W) -> z (n, d) on the unit sphere."""
        return {"z": unit(self.project(views)[:, 0])}

    def loss(self, z: Tensor, index: Tensor) -> Tensor:
        """z (N, d), index (N,) -> nats per sample: the softmax (section 3.1) or NCE (3.2) with the noise 1/n."""
        rows, t, m = self.bank.rows, self.options.temperature, self.options.negatives
        if m is None:
            return F.cross_entropy(z @ rows.T / t, index)
        drawn = torch.randint(len(rows), (len(z), m)).to(z.device)
        offset = self.normaliser(z) + math.log(m / len(rows))
        own = (z * rows[index]).sum(-1) / t - offset
        noise = torch.einsum("nd,nmd->nm", z, rows[drawn]) / t - offset
        return -(F.logsigmoid(own) + F.logsigmoid(-noise).sum(1)).mean()

    @torch.no_grad()
    def normaliser(self, z: Tensor) -> Tensor:
        """log Z; in the first step from the batch z (N, d): the mean over it of Z_i = Σ_j e^(v_j·z_i/τ)."""
        if not self.log_z.isnan():
            return self.log_z
        rows, t = self.bank.rows, self.options.temperature
        sums = torch.cat([(some @ rows.T / t).logsumexp(1) for some in z.split(64)])
        return sums.logsumexp(0) - math.log(len(z))

    def after_step(self, z: Tensor, index: Tensor) -> None:
        self.log_z.copy_(self.normaliser(z))
        self.bank.put(index, unit(self.bank.rows[index].lerp(z, 1 - self.options.bank_momentum)))
