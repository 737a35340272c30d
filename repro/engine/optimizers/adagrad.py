"""Adagrad."""

from __future__ import annotations

from typing import Any

import torch

from repro.engine.optimizers.adagrad_options import AdagradOptions
from repro.engine.optimizers.base import UpdateRule


class Adagrad(UpdateRule):
    """torch's, Duchi, Hazan and Singer 2011."""

    Options = AdagradOptions

    def build(self, parameters: list[Any], fused: bool | None) -> torch.optim.Optimizer:
        o = self.options
        return torch.optim.Adagrad(parameters, o.lr, weight_decay=o.weight_decay)
