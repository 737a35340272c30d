"""Whether the nearest samples are of the same class."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.engine.method import exact, unit
from repro.errors import UserError
from repro.measures.base import Measure, Measured, percent
from repro.measures.retrieval_options import RetrievalOptions


class Retrieval(Measure):
    """Each sample of the evaluated split is a query, and all others of the split are what is found.

    With R others of the query's class: `recall_at_<k>`, one of the k nearest is of its class; `r_precision`, the
    share of those among the R nearest; `map_at_r`, (1 / R) Σ P(i) over the places i up to R that are taken by one of
    its class, with P(i) the precision at i: Musgrave et al. 2020 (arXiv 2003.08505). In percent, means over the
    queries; those whose class has no other sample do not count.
    """

    Options = RetrievalOptions

    def __call__(self, *sets: Measured) -> dict[str, float]:
        test, labels, x = sets[-1], sets[-1].labels, exact(sets[-1].vectors)
        others = labels.bincount()[labels] - 1
        queries = (others > 0).nonzero()[:, 0]
        if not len(queries):
            raise UserError(f"{test.named}: no class has two samples, so there is nothing to retrieve.")
        x = unit(x) if self.options.distance == "cosine" else x
        most = max(self.options.k)
        parts = [self._found(x, labels, some, others[some], most) for some in queries.split(1024)]
        hits, precision, average = (torch.cat(part) for part in zip(*parts, strict=True))
        recalls = {f"recall_at_{k}": percent(hits[:, :k].any(1)) for k in self.options.k}
        return {**recalls, "map_at_r": percent(average), "r_precision": percent(precision)}

    def _found(
        self, x: Tensor, labels: Tensor, queries: Tensor, others: Tensor, most: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """queries (m,), others (m,) of their class -> hits (m, most), R-precision (m,), average precision (m,)."""
        near = nearness(x[queries], x, self.options.distance)
        near.scatter_(1, queries[:, None], -torch.inf)  # a query does not find itself
        depth = min(max(most, int(others.max())), len(x) - 1)
        hits = labels[near.topk(depth, dim=1).indices] == labels[queries][:, None]
        place = torch.arange(1, depth + 1, device=x.device)
        within = hits & (place <= others[:, None])
        average = (within * within.cumsum(1) / place).sum(1, dtype=torch.float64) / others
        return hits[:, :most], within.sum(1, dtype=torch.float64) / others, average


def nearness(a: Tensor, b: Tensor, distance: str) -> Tensor:
    """a (…, m, d), b (…, n, d) -> (…, m, n), larger if nearer: a · b of unit vectors, or ‖a‖² − ‖a − b‖²."""
    product = a @ b.transpose(-2, -1)
    return product if distance == "cosine" else 2 * product - b.square().sum(-1)[..., None, :]
