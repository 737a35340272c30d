"""Contrastive representation distillation, Tian et al. 2019 (arXiv 1910.10699), section 3."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from repro.data.table import Table
from repro.engine.method import unit
from repro.methods.distillation.crd_options import CRDOptions
from repro.methods.distillation.kd import KD
from repro.methods.parts.memory import Bank
from repro.methods.parts.negatives import nce, of_other_classes


class CRD(KD):
    """The student's embedding of a sample must tell the teacher's of the same one from those of other classes.

    Noise-contrastive estimation with stored embeddings, in both directions: linear maps of the features before the
    classifiers, brought to length 1. The constants Z come from the first batch and the whole banks.
    """

    Options = CRDOptions
    labels: Tensor
    log_z: Tensor

    def __init__(self, options: Any, encoder: Any, head: nn.Module, teacher: Any):
        super().__init__(options, encoder, head, teacher)
        self.maps = nn.ModuleList(nn.Linear(x.dim, options.dim) for x in (encoder, teacher.encoder))
        self.register_buffer("log_z", torch.full((2,), torch.nan))

    def begin(self, samples: int, table: Table) -> None:
        like = next(self.parameters())
        banks = (Bank(samples, self.options.dim, like.device) for _ in range(2))
        self.banks = nn.ModuleList(banks).to(like.dtype)
        self.register_buffer("labels", table.labels.to(like.device))

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, 1, C, H, W) -> both logits (n, 1, classes), and z (n, 2, dim) of student and teacher."""
        with torch.no_grad():
            features = self.through(views, self.teacher.encoder)
            teacher_logits = self.through(features, self.teacher.head)
        own = self.through(views, self.encoder)
        z = torch.stack([unit(g(x[:, 0])) for g, x in zip(self.maps, (own, features), strict=True)], 1)
        return {"logits": self.through(own, self.head), "teacher_logits": teacher_logits, "z": z}

    def loss(  # type: ignore[override]
        self, logits: Tensor, teacher_logits: Tensor, z: Tensor, label: Tensor, index: Tensor, draws: Any
    ) -> Tensor:
        """Logits (N, 1, classes), z (N, 2, dim), label and index (N,) -> nats per sample."""
        drawn = of_other_classes(self.labels, draws.uniform("negatives", self.options.negatives), label)
        contrast = z.new_zeros(())
        for scores, log_z in zip(self._scores(z), self._normalisers(z), strict=True):
            scores = scores - log_z - math.log(drawn.shape[1] / scores.shape[1])
            contrast = contrast + nce(scores.gather(1, index[:, None]), scores.gather(1, drawn))
        return super().loss(logits, teacher_logits, label) + self.options.contrast_weight * contrast

    def _scores(self, z: Tensor) -> list[Tensor]:
        """z (N, 2, dim) -> the students' with the teacher's bank and the teachers' with the student's (N, n)."""
        banks: Any = reversed(self.banks)
        pairs = zip(z.unbind(1), banks, strict=True)
        return [x @ bank.rows.T / self.options.contrast_temperature for x, bank in pairs]

    @torch.no_grad()
    def _normalisers(self, z: Tensor) -> Tensor:
        """log Z of both, as it was set, or in the first step the mean over the batch of Σ_j exp(score_j)."""
        if not self.log_z.isnan().any():
            return self.log_z
        sums = torch.stack([scores.logsumexp(1) for scores in self._scores(z)])
        return sums.logsumexp(1) - math.log(len(z))

    def after_step(self, z: Tensor, index: Tensor) -> None:
        self.log_z.copy_(self._normalisers(z))
        pairs: Any = zip(self.banks, z.unbind(1), strict=True)
        for bank, x in pairs:
            bank.put(index, unit(x.to(bank.rows.dtype).lerp(bank.rows[index], self.options.bank_momentum)))
