"""AdamW."""

from __future__ import annotations

from typing import Any

import torch

from repro.engine.optimizers.adamw_options import AdamWOptions
from repro.engine.optimizers.base import UpdateRule


class AdamW(UpdateRule):
    """torch's, Loshchilov and Hutter 2019 (arXiv 1711.05101)."""

    Options = AdamWOptions

    def build(self, parameters: list[Any], fused: bool | None) -> torch.optim.Optimizer:
        o = self.options
        betas = o.betas or (0.9, 0.999)
        return torch.optim.AdamW(parameters, o.lr, betas, weight_decay=o.weight_decay, fused=fused)
