"""Virtual adversarial training, Miyato et al. 2017 (arXiv 1704.03976)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.engine.draws import Draws
from repro.engine.method import Method
from repro.methods.semi_supervised.vat_options import VATOptions
from repro.networks.batchnorm import unlearning


class VAT(Method):
    """What is said of a sample without label is not to change in the direction in which it would change most.

    Rows hold labelled samples (one, or a group of them) and some of the stream `unlabelled`. The statistics that
    BatchNorm keeps for evaluation are those of the labelled and the unperturbed samples.
    """

    Options = VATOptions
    guarded = ()

    def embed(self, views: Tensor, unlabelled_views: Tensor, draws: Draws) -> dict[str, Tensor]:
        """views (n, …, 1, C, H, W), unlabelled_views (n, μ, 1, C, H, W) -> logits of the former and the latter."""
        x = unlabelled_views[:, :, 0]
        logits, plain = self._say(views.squeeze(-4)), self._say(x)
        with torch.autocast(x.device.type, enabled=False), unlearning(self):  # ξ is too small for bf16
            r = self._adversary(x, draws.normal("direction", *x.shape[1:]))
        with unlearning(self):
            return {"logits": logits, "plain": plain, "moved": self._say(x + r)}

    def loss(self, logits: Tensor, plain: Tensor, moved: Tensor, label: Tensor) -> dict[str, Tensor]:
        """logits (N, …, K), label (N, …), plain and moved (N, μ, K) -> nats (equations 5 to 8)."""
        supervised = F.cross_entropy(logits.flatten(0, -2), label.flatten())
        smoothness = divergence(plain.detach(), moved).mean()
        loss = supervised + self.options.weight * smoothness
        if self.options.entropy:
            loss = loss - self.options.entropy * (plain.softmax(-1) * plain.log_softmax(-1)).sum(-1).mean()
        return {"loss": loss, "supervised": supervised, "smoothness": smoothness}

    def _adversary(self, x: Tensor, d: Tensor) -> Tensor:
        """x and random directions d (n, μ, C, H, W) -> r (n, μ, C, H, W) of length ε (section 3.3)."""
        with torch.no_grad():
            plain = self._say(x)
        for _ in range(self.options.iterations):
            step = (self.options.xi * direction(d.to(x.dtype))).requires_grad_()
            with torch.enable_grad():
                (d,) = torch.autograd.grad(divergence(plain, self._say(x + step)).sum(), step)
        return self.options.epsilon * direction(d)

    def _say(self, x: Tensor) -> Tensor:
        """x (n, …, C, H, W) -> logits (n, …, K)."""
        return self.head(self.encoder(x.flatten(0, -4))).unflatten(0, x.shape[:-3])


def divergence(p: Tensor, q: Tensor) -> Tensor:
    """Logits (…, K) -> KL(softmax p ‖ softmax q) (…) in nats."""
    log_p, log_q = p.log_softmax(-1), q.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def direction(d: Tensor) -> Tensor:
    """d (n, μ, C, H, W) -> d / ‖d‖ of every sample."""
    return F.normalize(d.flatten(2), dim=2, eps=torch.finfo(d.dtype).tiny).view_as(d)
