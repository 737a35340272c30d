"""Knowledge distillation, Hinton et al. 2015 (arXiv 1503.02531)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.method import Method, exact, view_cross_entropy
from repro.methods.distillation.kd_options import KDOptions


def softened_divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T² · KL(softmax(teacher / T) ‖ softmax(student / T)), section 2, the mean over rows.

    Logits (…, classes) -> scalar in nats.
    """
    log_p, log_q = ((x / temperature).log_softmax(-1) for x in (teacher, student))
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(-1).mean()


class KD(Method):
    """The student learns the labels, and the teacher's softened probabilities on the same views."""

    Options = KDOptions
    guarded = ()  # samples of one class may well get the same logits

    def __init__(self, options: Any, encoder: nn.Module, head: nn.Module, teacher: Any):
        super().__init__(options, encoder, head)
        self.teacher = teacher

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        """views (n, V, C, H, W) -> logits and teacher_logits (n, V, classes)."""
        with torch.no_grad():
            teacher = self.through(views, self.teacher)
        return {"logits": self.project(views), "teacher_logits": teacher}

    def loss(self, logits: Tensor, teacher_logits: Tensor, label: Tensor) -> Tensor:
        """logits, teacher_logits (N, V, classes), label (N,) -> nats per view."""
        o = self.options
        distilled = softened_divergence(exact(logits), exact(teacher_logits), o.temperature)
        return o.label_weight * view_cross_entropy(logits, label) + o.teacher_weight * distilled
