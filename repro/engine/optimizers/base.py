"""What an update rule is."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from repro.options import Optimizer


class UpdateRule:
    """Makes torch's optimizer from the options.

    One that needs the gradient at more than one place says so (`needs_closure`) and gets it as `step(closure)`.
    """

    Options: ClassVar[type[Optimizer]] = Optimizer

    def __init__(self, options: Any):
        self.options = options

    def build(self, parameters: list[Any], fused: bool | None) -> torch.optim.Optimizer:
        """For parameters or groups of them; `fused` asks for torch's fused form."""
        raise NotImplementedError
