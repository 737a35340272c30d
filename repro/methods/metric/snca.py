"""Scalable neighbourhood component analysis, Wu et al. 2018 (arXiv 1808.04699)."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.data.table import Table
from repro.engine.method import Method, unit
from repro.methods.metric.snca_options import SNCAOptions
from repro.methods.parts.memory import Bank


class SNCA(Method):
    """A sample must pick neighbours of its own class among the stored embeddings of the whole training set.

    NCA (section 3.2) with an augmented memory (section 3.3): the bank has a row for each sample, through which no
    gradient passes and which follows the sample's embedding. A sample that is alone in its class has no loss.
    """

    Options = SNCAOptions

    bank: Bank
    labels: Tensor

    def begin(self, samples: int, table: Table) -> None:
        like = next(self.parameters())
        self.bank = Bank(samples, self.head.dim, like.device).to(like.dtype)  # type: ignore[arg-type]
        self.register_buffer("labels", table.labels.to(like.device))

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 1, C, H, W) -> z (n, d) on the unit sphere."""
        return {"z": unit(self.project(views)[:, 0])}

    def loss(self, z: Tensor, label: Tensor, index: Tensor) -> Tensor:
        """z (N, d), label (N,), index (N,) -> −log of the probability of a neighbour of the own class, in nats."""
        scores = (z @ self.bank.rows.T / self.options.temperature).scatter(1, index[:, None], -torch.inf)
        of_class = scores.masked_fill(label[:, None] != self.labels, -torch.inf)
        alone = (of_class == -torch.inf).all(1)
        log_p = of_class[~alone].logsumexp(1) - scores[~alone].logsumexp(1)
        return -log_p.sum() / len(z)

    def after_step(self, z: Tensor, index: Tensor) -> None:
        kept = self.bank.rows[index]
        self.bank.put(index, unit(kept.lerp(z.to(kept.dtype), 1 - self.options.bank_momentum)))
