"""Attention within hash buckets: Kitaev et al. 2020 (arXiv 2001.04451), section 2 and appendix A."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.networks.attention.full import masked, unit


def lsh(qk: Tensor, v: Tensor, rotations: Tensor, chunk: int) -> Tensor:
    """Causal attention of each position to those that share a bucket with it in at least one round.

    qk (…, L, d), v (…, L, e), rotations R (…, rounds, d, buckets/2) -> (…, L, e). Keys are k = q/‖q‖ and the
    score is q·k, as in `shared_qk`. In each round positions are sorted by bucket, then by place; a chunk of
    `chunk` of them, which must divide L, attends to itself and to the one before, and what of a bucket is out
    of this reach is lost. The rounds' outputs are weighed by their normalisers; where a pair meets in N rounds,
    it counts 1/N in each.
    """
    order, rank, cells = arranged(hashed(qk, rotations), chunk)

    def chunks(x: Tensor) -> Tensor:
        """x (…, 1 or rounds, L, e) -> (…, rounds, L/chunk, chunk, e) in each round's order."""
        return taken(x, order).unflatten(-2, (-1, chunk))

    queries, values = chunks(torch.cat([qk, v], -1)[..., None, :, :]).split([qk.shape[-1], v.shape[-1]], -1)
    here, home = order[..., None].unflatten(-2, (-1, chunk)), chunks(cells[..., None])
    there, keys = and_before(here).mT, and_before(unit(queries)).mT
    allowed = reaches(home, and_before(home).mT) & (there <= here)
    meetings = torch.zeros_like(allowed, dtype=torch.int8)
    for each in cells.unbind(-2):  # all rounds at once would need as many times the memory
        home = chunks(each[..., None, :, None])
        meetings += reaches(home, and_before(home).mT)
    scores = masked(queries @ keys, here, there, allowed) - meetings.clamp(min=1).to(qk.dtype).log()
    normaliser = scores.logsumexp(-1, keepdim=True)
    outputs = torch.cat([(scores - normaliser).exp() @ and_before(values), normaliser], -1)
    outputs = taken(outputs.flatten(-3, -2), rank)
    return (outputs[..., -1:].softmax(-3) * outputs[..., :-1]).sum(-3)


def hashed(x: Tensor, rotations: Tensor) -> Tensor:
    """h(x) = argmax [x R; −x R]: x (…, L, d), R (…, rounds, d, buckets/2) -> buckets (…, rounds, L)."""
    projected = x[..., None, :, :] @ rotations
    return torch.cat([projected, -projected], -1).argmax(-1)


def arranged(buckets: Tensor, chunk: int) -> tuple[Tensor, Tensor, Tensor]:
    """buckets (…, L) -> the sorted positions, each position's rank among them, and its cell, all (…, L).

    A cell is the part of a bucket that lies in one chunk; see `reaches`.
    """
    length = buckets.shape[-1]
    order = (buckets * length + torch.arange(length, device=buckets.device)).argsort(-1)
    rank = order.argsort(-1)
    return order, rank, buckets * (length // chunk + 1) + rank // chunk + 1


def taken(x: Tensor, index: Tensor) -> Tensor:
    """The rows `index` (…, L) of x (…, L, e), whose leading dimensions may be 1: (…, L, e)."""
    return x.expand(*index.shape, -1).gather(-2, index[..., None].expand(*index.shape, x.shape[-1]))


def reaches(query: Tensor, key: Tensor) -> Tensor:
    """Whether cells are of the same bucket, and the key's chunk is the query's or the one before."""
    return (key == query) | (key == query - 1)


def and_before(x: Tensor) -> Tensor:
    """x (…, chunks, m, e) -> (…, chunks, 2m, e), behind those of the chunk before (of the first: of the last)."""
    return torch.cat([x.roll(1, -3), x], -2)


def rotations(
    heads: int, rounds: int, dim: int, buckets: int, random: torch.Generator | None = None
) -> Tensor:
    """Gaussian projections R (heads, rounds, dim, buckets/2), on the CPU."""
    return torch.randn(heads, rounds, dim, buckets // 2, generator=random)
