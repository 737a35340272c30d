"""A network as it is drawn, untrained: the lower bound of many tables."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from repro.engine import checkpoint
from repro.engine.stage import Context, Outcome, Stage, capped
from repro.keys import key
from repro.networks.build import untrained
from repro.stages.initial_options import InitialOptions

WIDEST = 256  # of layers in a smoke run


class Initial(Stage):
    """Draws the network's weights and leaves it to later stages, which evaluate it as if it had been trained."""

    Options = InitialOptions

    def run(self, ctx: Context) -> Outcome:
        data = ctx.data("train")
        torch.manual_seed(key(ctx.seed, ctx.stage, "weights"))
        network = untrained(self.options, data.shape, data.classes)
        if ctx.setup.main:
            state = nn.ModuleDict(network._asdict()).state_dict()
            made_for = {"shape": data.shape, "classes": data.classes}
            checkpoint.save(ctx.folder / "output.safetensors", state, made_for)
        return Outcome({})

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"network": capped(options.network, WIDEST)})
