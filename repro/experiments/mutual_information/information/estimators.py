"""Estimators of mutual information: a critic each, the loss that trains it, and its values on a batch."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from repro.experiments.mutual_information.information import bounds
from repro.experiments.mutual_information.information.critics import CRITICS, circulant
from repro.experiments.mutual_information.information.gaussians import Gaussians


class Estimator(nn.Module):
    """A critic of x and y. A subclass says how its scores become a bound; values are in nats."""

    name: str

    def __init__(self, options: Any, source: Gaussians):
        super().__init__()
        self.o, self.source = options, source
        self.net = self.critic(source.dim)

    def critic(self, dim: int) -> Any:
        return CRITICS[self.o.critic](dim, self.source.dim, self.o.width, self.o.hidden, self.o.embed)

    def order(self, x: Tensor, candidates: int | None = None) -> Tensor:
        return circulant(len(x), candidates or len(x), x.device)

    def bound(self, scores: Tensor) -> Tensor:
        raise NotImplementedError

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """x, y (B, d) -> what training minimises."""
        return -self.bound(self.net.among(x, y, self.order(x, self.o.candidates)))

    def values(self, x: Tensor, y: Tensor, random: torch.Generator) -> dict[str, Tensor]:
        """x, y (B, d) -> the estimate on a batch, all pairs compared, and with the exact log ratio as critic."""
        order = self.order(x)
        exact = self.source.log_ratio(x, y).gather(1, order)
        return {
            self.name: self.bound(self.net.among(x, y, order)),
            f"{self.name}_exact": self.bound(exact),
        }


class Mine(Estimator):
    """Donsker–Varadhan; in the gradient, E_Q[e^T] is divided by its moving average (section 3.2)."""

    name = "mine"
    log_average: Tensor

    def __init__(self, options: Any, source: Gaussians):
        super().__init__(options, source)
        self.register_buffer("log_average", torch.zeros(()))

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Its gradient, not its value, is that of the bound."""
        scores, rate = self.net.among(x, y, self.order(x, self.o.candidates)), self.o.average
        batch = bounds.log_mean_exp(scores[:, 1:])
        parts = torch.stack([self.log_average + math.log1p(-rate), batch.detach() + math.log(rate)])
        self.log_average = parts.logsumexp(0)
        return (batch - self.log_average).exp() - scores[:, 0].mean()

    def bound(self, scores: Tensor) -> Tensor:
        return bounds.donsker_varadhan(scores)

    def values(self, x: Tensor, y: Tensor, random: torch.Generator) -> dict[str, Tensor]:
        """`log_…` are the logarithms of a batch, to be replaced by one over all batches."""
        order = self.order(x)
        found: dict[str, Tensor] = {}
        scores = {
            "mine": self.net.among(x, y, order),
            "mine_exact": self.source.log_ratio(x, y).gather(1, order),
        }
        for name, values in scores.items():
            found |= {name: self.bound(values), f"log_{name}": bounds.log_mean_exp(values[:, 1:])}
        return found


class NWJ(Estimator):
    name = "nwj"

    def bound(self, scores: Tensor) -> Tensor:
        return bounds.nwj(scores)


class InfoNCE(Estimator):
    name = "infonce"

    def bound(self, scores: Tensor) -> Tensor:
        return bounds.infonce(scores[:, : self.o.candidates])


class RPC(Estimator):
    """`rpc` inverts the critic to log r pair by pair, `rpc_mean` the batch's mean critic, as the authors' code."""

    name = "rpc"

    def __init__(self, options: Any, source: Gaussians):
        super().__init__(options, source)
        self.relative = bounds.Relative(options.alpha, options.beta, options.gamma)

    def bound(self, scores: Tensor) -> Tensor:
        return self.relative.objective(scores)

    def values(self, x: Tensor, y: Tensor, random: torch.Generator) -> dict[str, Tensor]:
        order = self.order(x)
        exact = self.relative.critic(self.source.log_ratio(x, y).diagonal())
        found: dict[str, Tensor] = {}
        for suffix, joint in {"": self.net.among(x, y, order)[:, 0], "_exact": exact}.items():
            found[f"rpc{suffix}"] = self.relative.log_ratio(joint).mean()
            found[f"rpc_mean{suffix}"] = self.relative.log_ratio(joint.mean())
        return found


class DEMI(Estimator):
    """I(x'; y) + I(x; y|x'), x' the first half of x's coordinates, by a critic each.

    `demi` reweights the negatives of the second by the first critic, `demi_bound` draws them from p(y|x').
    """

    name = "demi"

    def __init__(self, options: Any, source: Gaussians):
        super().__init__(options, source)
        self.first = source.dim // 2
        self.part = self.critic(self.first)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        order = self.order(x, self.o.candidates)
        part = self.part.among(x[:, : self.first], y, order)
        return -bounds.infonce(part) - bounds.conditional(self.net.among(x, y, order), part.detach())

    def values(self, x: Tensor, y: Tensor, random: torch.Generator) -> dict[str, Tensor]:
        order, h = self.order(x, self.o.candidates), self.first
        part, whole = self.part.among(x[:, :h], y, order), self.net.among(x, y, order)
        drawn = self.net(x, torch.cat([y[:, None], self.negatives(x, y, order[:, 1:], random)], 1))
        first, second = (
            self.source.log_ratio(x[:, s], y[:, s]).gather(1, order) for s in (slice(h), slice(h, None))
        )
        return {
            "demi": bounds.infonce(part) + bounds.conditional(whole, part),
            "demi_bound": bounds.infonce(part) + bounds.infonce(drawn),
            "demi_exact": bounds.infonce(first) + bounds.conditional(second, first),
            "demi_bound_exact": bounds.infonce(first) + bounds.infonce(second),
        }

    def negatives(self, x: Tensor, y: Tensor, others: Tensor, random: torch.Generator) -> Tensor:
        """Draws (B, M, d) from p(y|x'): half fresh, the half that x' says nothing of from other samples (B, M)."""
        rho = self.source.rho
        noise = torch.randn(*others.shape, self.first, generator=random).to(x.device)
        near = rho * x[:, None, : self.first] + math.sqrt(1 - rho**2) * noise
        return torch.cat([near, y[others][..., self.first :]], -1)


ESTIMATORS: dict[str, type[Estimator]] = {e.name: e for e in (Mine, NWJ, InfoNCE, RPC, DEMI)}
