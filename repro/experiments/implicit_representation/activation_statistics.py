"""What flows through a SIREN before training: Sitzmann et al. 2020 (arXiv 2006.09661), section 3.2.

The experiment of the authors' explore_siren.ipynb, "Initialization scheme & distribution of activations".
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.implicit_representation.activation_statistics_options import (
    ActivationStatisticsOptions,
)
from repro.keys import key
from repro.networks.coordinate import Sine, sines


class ActivationStatistics(Stage):
    """Standard deviations over all units and inputs, layer by layer, of a freshly drawn SIREN.

    `inputs` are evenly spaced on [−1, 1]. With `bias: false` all biases are zero, so that the weights alone
    are seen.

    Metrics, layers counted from 1: `preactivation_std_2`, `postactivation_std_2`; and `…_deep`, the mean over
    the last four sine layers. The curve has every layer.
    """

    Options = ActivationStatisticsOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        torch.manual_seed(key(ctx.seed, ctx.stage, "weights"))
        layers = [layer.to(ctx.device) for layer in sines(1, o.width, o.hidden, o.omega)]
        if not o.bias:
            for layer in layers:
                nn.init.zeros_(layer.bias)
        x = torch.linspace(-1, 1, o.inputs, device=ctx.device)[:, None]
        curve = [{"layer": i, **stds} for i, stds in enumerate(layer_stds(layers, x), start=1)]
        metrics = {}
        for name in ("preactivation_std", "postactivation_std"):
            metrics[f"{name}_2"] = curve[1][name]
            metrics[f"{name}_deep"] = sum(layer[name] for layer in curve[-4:]) / 4
        return Outcome(metrics, curve)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"width": 32, "inputs": 64})


@torch.no_grad()
def layer_stds(layers: list[Sine], x: Tensor) -> list[dict[str, float]]:
    """x (n, inputs) -> for each layer the standard deviation of what enters its sines and of what leaves them."""
    stds = []
    for layer in layers:
        before = layer.preactivation(x)
        x = before.sin()
        stds.append(
            {
                "preactivation_std": before.std(correction=0).item(),
                "postactivation_std": x.std(correction=0).item(),
            }
        )
    return stds
