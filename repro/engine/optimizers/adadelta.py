"""Adadelta."""

from __future__ import annotations

from typing import Any

import torch

from repro.engine.optimizers.adadelta_options import AdadeltaOptions
from repro.engine.optimizers.base import UpdateRule


class Adadelta(UpdateRule):
    """torch's, Zeiler 2012 (arXiv 1212.5701)."""

    Options = AdadeltaOptions

    def build(self, parameters: list[Any], fused: bool | None) -> torch.optim.Optimizer:
        o = self.options
        return torch.optim.Adadelta(parameters, o.lr, weight_decay=o.weight_decay)
