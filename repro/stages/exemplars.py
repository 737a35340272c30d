"""A memory of exemplars: a few samples of each class that stand for it in later rounds."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.engine.artifacts import Numbered, leave, left, numbered
from repro.engine.features import labelled
from repro.engine.method import unit
from repro.engine.stage import Context, Outcome, Stage
from repro.errors import UserError
from repro.keys import hashed, key
from repro.stages.exemplars_options import ExemplarsOptions
from repro.stages.outputs import features


class Exemplars(Stage):
    """Leaves an `index`: class by class, the rows of its exemplars in the order in which they were chosen.

    By herding, or at random; a class that is in `keep` has the first of those, and is not chosen from anew
    (Rebuffi et al. 2017, arXiv 1611.07725, Algorithms 4 and 5). Metrics: `rows`, how many there are; `distance`, in
    feature space, between the mean of a class's samples and that of its exemplars, the mean over the classes
    chosen from.
    """

    Options = ExemplarsOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        labelled(ctx, o.split, o.data)
        data = numbered(ctx, o.data, o.split)
        kept = self._kept(ctx, data) if o.keep else {}
        places = _by_class(torch.arange(len(data.rows)), data.table.labels)
        offered = {label: own for label, own in places.items() if label not in kept}
        share = o.per_class or o.total // len(kept | offered)
        if not share:
            raise UserError(
                f"Stage `{ctx.stage}`: {o.total} exemplars are fewer than the classes; set a larger `total`."
            )
        z = unit(features(ctx, o.of, data.table)).double().cpu()
        distances = []
        for label, own in offered.items():
            order = self._order(ctx, z[own], data.rows[own], share)
            distances.append((z[own].mean(0) - z[own[order]].mean(0)).norm().item())
            kept[label] = data.rows[own[order]]
        index = torch.cat([rows[:share] for _, rows in sorted(kept.items())])
        leave(ctx, "index", {"index": index}, data)
        return Outcome({"rows": float(len(index)), "distance": sum(distances) / max(1, len(distances))})

    def _kept(self, ctx: Context, data: Numbered) -> dict[int, Tensor]:
        """The rows of each class that an earlier stage chose."""
        if not torch.equal(data.table.labels, data.whole.labels[data.rows]):
            raise UserError(
                f"Stage `{ctx.stage}`: its `data` has other labels than the split, so that classes cannot be told "
                "from those of `keep`; leave out the slice that changes them."
            )
        index = left(ctx, self.options.keep, "index", data.whole).tensors["index"]
        return _by_class(index, data.whole.labels[index])

    def _order(self, ctx: Context, z: Tensor, rows: Tensor, count: int) -> Tensor:
        """z (n, d) and rows (n,) of one class -> which of them are chosen, in order."""
        if self.options.choose == "herding":
            return herding(z, count)
        return hashed(key(ctx.seed, ctx.stage, "exemplars"), rows).argsort(stable=True)[:count]


def herding(z: Tensor, count: int) -> Tensor:
    """z (n, d) of one class -> (min(count, n),): the rows whose mean stays nearest to that of all, one by one.

    The k-th is that of those left with the least ‖µ − (1/k)(z + Σ of those chosen)‖, µ the mean of z: Algorithm 4. As
    in the authors' code the features are of unit length, and µ is not.
    """
    mean, total = z.mean(0), torch.zeros_like(z[0])
    free, chosen = torch.ones(len(z), dtype=torch.bool), []
    for k in range(1, min(count, len(z)) + 1):
        far = (mean - (total + z) / k).norm(dim=1).masked_fill(~free, torch.inf)
        best = int(far.argmin())
        chosen.append(best)
        free[best] = False
        total = total + z[best]
    return torch.tensor(chosen, dtype=torch.int64)


def _by_class(rows: Tensor, labels: Tensor) -> dict[int, Tensor]:
    """rows (n,) and their labels (n,) -> each label there is, and its rows in their order."""
    return {int(label): rows[labels == label] for label in labels.unique()}
