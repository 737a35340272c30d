"""Training on data of which some is marked: Sablayrolles et al. 2020 (arXiv 2002.00937)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from repro.data.fingerprint import fingerprint
from repro.data.table import Table
from repro.engine import checkpoint
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.security.radioactive_train_options import RadioactiveTrainOptions
from repro.stages.train import Train


class RadioactiveTrain(Stage):
    """The stage `train`, with the images that the stage `marks` has marked in the place of the clean ones.

    Weights and metrics are those of `train`, and so are the options but for `marks`.
    """

    Options = RadioactiveTrainOptions

    def run(self, ctx: Context) -> Outcome:
        tensors, _ = checkpoint.load(ctx.of(self.options.marks) / "marks.safetensors")

        def load(split: str) -> Table:
            data = ctx.load(split)
            if split != self.options.split:
                return data
            images = data["image"].clone()
            images[tensors["index"]] = tensors["images"]
            marked = data.fingerprint and fingerprint(images, data.labels)
            return replace(data.having(image=images), fingerprint=marked)

        return Train(self.options).run(replace(ctx, load=load))

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return Train.smoke(options)
