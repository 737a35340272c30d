"""Self-training: a classifier's own predictions as labels."""

from __future__ import annotations

from typing import Any

import torch

from repro.engine.artifacts import leave, numbered
from repro.engine.stage import Context, Outcome, Stage
from repro.errors import UserError
from repro.stages.outputs import probabilities
from repro.stages.pseudo_labels_options import PseudoLabelsOptions


class PseudoLabels(Stage):
    """Leaves `labels`, and the same rows as `index`: the class with the largest probability, its `confidence`.

    The true labels have no part in it. Metrics: `rows`, how many are labelled; `confidence`, their mean. The record
    says in how many percent of those with a true label it is the same (`right`).
    """

    Options = PseudoLabelsOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        data = numbered(ctx, o.data, o.split)
        confidence, label = probabilities(ctx, o.of, data.table).cpu().max(1)
        order = confidence.argsort(descending=True, stable=True)
        order = order[confidence[order] >= o.threshold]
        if o.per_class:
            of_class = [order[label[order] == c][: o.per_class] for c in range(data.table.classes)]
            order = torch.cat(of_class)
        if not len(order):
            raise UserError(
                f"Stage `{ctx.stage}`: no sample is labelled with a confidence of {o.threshold:g} (the largest is "
                f"{confidence.max():.3f}); set a lower `threshold`."
            )
        chosen = order.sort().values
        index, label, confidence = data.rows[chosen], label[chosen], confidence[chosen]
        leave(ctx, "labels", {"index": index, "label": label, "confidence": confidence}, data)
        leave(ctx, "index", {"index": index}, data)
        truth = data.table.labels[chosen]
        known = truth >= 0
        right = 100 * (label == truth)[known].double().mean().item() if known.any() else None
        metrics = {"rows": float(len(index)), "confidence": confidence.mean().item()}
        return Outcome(metrics, facts={"right": right})

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"threshold": 0.0})
