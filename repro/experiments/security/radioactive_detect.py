"""Was a network trained on marked images? Sablayrolles et al. 2020 (arXiv 2002.00937).

As in the authors' detect_radioactivity.py.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from repro.engine import checkpoint
from repro.engine.features import extract, frozen
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.security.radioactive import detection
from repro.experiments.security.radioactive_detect_options import RadioactiveDetectOptions
from repro.networks.build import trained


class RadioactiveDetect(Stage):
    """Tests the classifier of the stage `of` (a linear head) for the carriers of the stage `marks`.

    The feature space of the tested network is `aligned` with that of the marking network on clean test images.
    Metrics: `log10_p`, combined over the classes; `cosine`, the mean over the classes; `residual`, the share of the
    tested features' squared norm that the alignment leaves.
    """

    Options = RadioactiveDetectOptions

    def run(self, ctx: Context) -> Outcome:
        o, data = self.options, ctx.data("test")
        tensors, _ = checkpoint.load(ctx.of(o.marks) / "marks.safetensors")
        marking: Any = ctx.recipe.stages[o.marks]
        networks = {name: trained(ctx, name, data) for name in (o.of, marking.of)}
        features = {}
        for name, network in networks.items():
            stage: Any = ctx.recipe.stages[name]
            with frozen(network.encoder):
                features[name] = extract(ctx, network.encoder, data, stage.views).cpu().double()
        head: Any = networks[o.of].head
        weights, residual = aligned(head.net.weight.cpu().double(), features[o.of], features[marking.of])
        cosine, log10_p = detection(weights, tensors["carriers"])
        metrics = {"log10_p": float(log10_p), "cosine": float(cosine.mean()), "residual": residual}
        return Outcome(metrics, facts={"cosines": cosine.round(4).tolist()})


def aligned(weights: Tensor, tested: Tensor, marking: Tensor) -> tuple[Tensor, float]:
    """Weights (K, e) on the features `tested` (n, e) as weights (K, d) on `marking` (n, d), and the residual.

    A (d, e) minimises |marking A − tested|², so that weights · tested ≈ (weights Aᵀ) · marking. Of several that do,
    the smallest is taken.
    """
    map_ = torch.linalg.lstsq(marking, tested, driver="gelsd").solution
    left = (marking @ map_ - tested).square().sum() / tested.square().sum()
    return weights @ map_.T, left.item()
