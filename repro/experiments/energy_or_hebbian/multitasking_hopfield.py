"""A Hopfield network of diluted patterns: Agliari et al. 2023 (arXiv 2308.04106), multitasking Hebbian networks."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn

from repro import pictures
from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.energy_or_hebbian.multitasking_hopfield_options import MultitaskingHopfieldOptions
from repro.keys import generator, key

GROUPS = 50  # parts of the network that are updated one after the other in a sweep


class MultitaskingHopfield(Stage):
    """Runs N = `spins` spins with J_ij = Σ_μ ξ_i^μ ξ_j^μ / N, J_ii = 0, and K = `patterns`, and measures m = ξ σ / N.

    An entry of a pattern is 0 with probability d = `dilution`, else ±1. The spins start in the `hierarchical` state
    (each follows the first pattern that is not 0 there), along the `first` pattern, or at `random`; those that
    follow none are random. In each of `sweeps` sweeps all spins are drawn anew, P(σ_i = 1) = 1/(1 + e^(−2 h_i/T)),
    T = `noise`; at T = 0 they follow their field h_i. m is averaged over the second half of the sweeps, and its
    absolute values are sorted.

    Metrics: `m_1` … `m_<K>`; `hierarchy_error`, the largest |m_k − d^(k−1) (1 − d)|; `theory_error`, the largest
    difference to the solution of the self-consistency equations that the start leads to; `spread`, 1 − m_K/m_1;
    `moved`, the share of spins that are not where they started, of those that some pattern holds.
    """

    Options = MultitaskingHopfieldOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        random = generator(key(ctx.seed, ctx.stage))
        patterns = diluted(o.patterns, o.spins, o.dilution, random)
        start = beginning(patterns, o.start, random)
        network = Network(patterns, start).to(ctx.device)
        loop = Loop(ctx, o.sweeps, {"network": network}, o.spins)
        for _ in loop:
            m = network.sweep(o.noise)
            loop.log(**{f"m_{k + 1}": value for k, value in enumerate(m.tolist())})
        names = [f"m_{k + 1}" for k in range(o.patterns)]
        late = loop.curve[o.sweeps // 2 :]
        m = torch.tensor([sum(p[name] for p in late) / len(late) for name in names], dtype=torch.float64)
        m = m.abs().sort(descending=True).values
        begun = (patterns @ start / o.spins).double().abs().sort(descending=True).values
        theory = solution(begun, o.dilution, o.noise).abs().sort(descending=True).values
        held = patterns.any(0)
        metrics = {
            **dict(zip(names, m.tolist(), strict=True)),
            "hierarchy_error": (m - hierarchy(o.patterns, o.dilution)).abs().max().item(),
            "theory_error": (m - theory).abs().max().item(),
            "spread": (1 - m[-1] / m[0]).item(),
            "moved": (network.spins.cpu() != start)[held].float().mean().item(),
        }
        if ctx.setup.main:
            steps = [point["step"] for point in loop.curve]
            curves = {
                f"pattern {k + 1}": (steps, [p[name] for p in loop.curve]) for k, name in enumerate(names)
            }
            levels = {f"theory {k + 1}": value for k, value in enumerate(theory.tolist())}
            pictures.plot(ctx.picture("overlaps.svg"), curves, "sweep", "overlap m", levels)
        return Outcome(metrics, loop.curve, loop.facts)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"spins": 500, "sweeps": 4})


class Network(nn.Module):
    """Spins (N,) of ±1 with the Hebbian couplings of patterns (K, N), all float32."""

    patterns: Tensor
    spins: Tensor

    def __init__(self, patterns: Tensor, spins: Tensor):
        super().__init__()
        self.register_buffer("patterns", patterns)
        self.register_buffer("spins", spins.clone())

    def sweep(self, noise: float) -> Tensor:
        """Updates all spins in a random order, a group at a time, and returns m (K,)."""
        n = len(self.spins)
        order = torch.randperm(n)
        level = torch.rand(n)
        for group, drawn in zip(order.chunk(GROUPS), level.chunk(GROUPS), strict=True):
            i = group.to(self.spins.device)
            here = self.patterns[:, i]
            field = self.overlaps() @ here - here.square().sum(0) * self.spins[i] / n
            if noise:
                up = drawn.to(field.device) < torch.sigmoid(2 * field / noise)
                self.spins[i] = 2.0 * up - 1
            else:
                self.spins[i] = torch.where(field == 0, self.spins[i], field.sign())
        return self.overlaps()

    def overlaps(self) -> Tensor:
        """m (K,), each Σ_i ξ_i σ_i / N."""
        return self.patterns @ self.spins / len(self.spins)


def diluted(patterns: int, spins: int, dilution: float, random: torch.Generator) -> Tensor:
    """Patterns (K, N): 0 with probability `dilution`, else ±1 with equal probability. Larger dilutions add zeros."""
    present = torch.rand(patterns, spins, generator=random) >= dilution
    return present * (2.0 * torch.randint(2, (patterns, spins), generator=random) - 1)


def beginning(patterns: Tensor, start: str, random: torch.Generator) -> Tensor:
    """Spins (N,) in one of the states of the stage's `start`."""
    spins = 2.0 * torch.randint(2, patterns.shape[1:], generator=random) - 1
    followed = {"hierarchical": len(patterns), "first": 1, "random": 0}[start]
    for pattern in patterns[:followed].flip(0):
        spins = torch.where(pattern != 0, pattern, spins)
    return spins


def hierarchy(patterns: int, dilution: float) -> Tensor:
    """m_k = d^(k−1) (1 − d), (K,): the k-th pattern has what the k − 1 before it leave free."""
    return (1 - dilution) * dilution ** torch.arange(patterns, dtype=torch.float64)


def solution(m: Tensor, dilution: float, noise: float, iterations: int = 5000) -> Tensor:
    """Iterates m_μ = E[ξ_μ tanh(Σ_ν ξ_ν m_ν / T)] (at T = 0 the sign) from m (K,), exactly, over 3^K cases."""
    entries = torch.tensor(list(itertools.product((-1.0, 0.0, 1.0), repeat=len(m))), dtype=torch.float64)
    weight = torch.where(entries == 0, dilution, (1 - dilution) / 2).prod(1)
    for _ in range(iterations):
        field = entries @ m
        response = torch.tanh(field / noise) if noise else field.sign()
        m = (weight * response) @ entries
    return m
