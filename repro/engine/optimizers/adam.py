"""Adam."""

from __future__ import annotations

from typing import Any

import torch

from repro.engine.optimizers.adam_options import AdamOptions
from repro.engine.optimizers.base import UpdateRule


class Adam(UpdateRule):
    """torch's, Kingma and Ba 2015 (arXiv 1412.6980)."""

    Options = AdamOptions

    def build(self, parameters: list[Any], fused: bool | None) -> torch.optim.Optimizer:
        o = self.options
        betas = o.betas or (0.9, 0.999)
        return torch.optim.Adam(parameters, o.lr, betas, weight_decay=o.weight_decay, fused=fused)
