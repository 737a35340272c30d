"""Radioactive features: marks in the feature space and a linear classifier on it.

Sablayrolles et al. 2020 (arXiv 2002.00937), section 3 (recalled), where the features come from a fixed network.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from torch import Tensor

from repro.data.slices.base import balanced
from repro.engine.features import extract, frozen
from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.security.radioactive import detection, directions
from repro.experiments.security.radioactive_features_options import RadioactiveFeaturesOptions
from repro.keys import generator, key
from repro.networks.build import trained
from repro.pictures import plot

DETECTED = -4.0  # log10 p: the level of the paper's abstract


class RadioactiveFeatures(Stage):
    """Marks a share of each class's training features, fits a linear classifier to all, and looks for the marks.

    A mark is the class's random carrier times `strength`, in units of the root of the mean squared distance of the
    features from their class mean. Each of `repeats` carriers marks each share of `percent`. The classifier is
    scikit-learn's logistic regression on features of mean 0 in these units. Without marks, one classifier is tested
    with `null_repeats` carriers.

    Metrics for each share, 0 among them, means over the repeats: `log10_p_<percent>`, combined over the classes;
    `cosine_<percent>`; `power_<percent>`, percent of the repeats with p below 1e-4; `top1_<percent>`, of the test
    split; and `false_positives`, percent of p below 5 % without marks. The picture is `log10_p.svg`.
    """

    Options = RadioactiveFeaturesOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        train, test = ctx.data("train"), ctx.data("test")
        stage: Any = ctx.recipe.stages[o.of]
        encoder = trained(ctx, o.of, train).encoder
        with frozen(encoder):
            bank, queries = (extract(ctx, encoder, d, stage.views).cpu().double() for d in (train, test))
        centre, unit = bank.mean(0), within(bank, train.labels)
        bank, queries = (bank - centre) / unit, (queries - centre) / unit

        def carriers(n: int, *words: int | str) -> Tensor:
            shape = (n, int(train.labels.max()) + 1, bank.shape[1])
            random = generator(key(ctx.seed, ctx.stage, "carriers", *words))
            return directions(shape[0] * shape[1], shape[2], random).view(shape)

        weights, top1 = self._classifier(bank, train.labels, queries, test.labels)
        null = evidence(weights, carriers(o.null_repeats, "null"))
        metrics = {"top1_0": top1, "false_positives": null.pop("false_positives")}
        metrics |= {f"{name}_0": value for name, value in null.items()}
        loop = Loop(ctx, o.repeats, {}, len(o.percent))
        for repeat in loop:
            marks = carriers(1, repeat)
            found: dict[str, float] = {}
            for percent in o.percent:
                rows = balanced(train.labels, percent / 100, key(ctx.seed, ctx.stage, "rows", repeat))
                marked = bank.clone()
                marked[rows] += o.strength * marks[0, train.labels[rows]]
                weights, top1 = self._classifier(marked, train.labels, queries, test.labels)
                result = {"top1": top1, **evidence(weights, marks)}
                found |= {f"{name}_{percent}": result[name] for name in ("top1", *null)}
            loop.log(**found)
        for name in (name for name in loop.curve[0] if name != "step"):
            metrics[name] = sum(point[name] for point in loop.curve) / len(loop.curve)
        if ctx.setup.main:
            shares = [0, *o.percent]
            curve = {"mean": (shares, [metrics[f"log10_p_{percent}"] for percent in shares])}
            plot(ctx.picture("log10_p.svg"), curve, "marked features, %", "log10 p", {"p = 1e-4": DETECTED})
        return Outcome(metrics, loop.curve, loop.facts)

    def _classifier(
        self, features: Tensor, labels: Tensor, queries: Tensor, truth: Tensor
    ) -> tuple[Tensor, float]:
        """The weights (K, d) of the classifier, and its percentage of right answers to the queries."""
        from sklearn.exceptions import ConvergenceWarning  # takes a second to import
        from sklearn.linear_model import LogisticRegression

        fitted = LogisticRegression(C=self.options.C, max_iter=self.options.iterations)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of a smoke run
            fitted.fit(features.numpy(), labels.numpy())
        right = torch.from_numpy(fitted.predict(queries.numpy())) == truth
        return torch.from_numpy(fitted.coef_), 100 * right.double().mean().item()

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"repeats": 1, "null_repeats": 50, "iterations": 5})


def evidence(weights: Tensor, carriers: Tensor) -> dict[str, float]:
    """weights (K, d), carriers (r, K, d) -> what the metrics of one share are, means over the r sets of carriers."""
    cosine, log10_p = detection(weights.expand_as(carriers), carriers)
    return {
        "log10_p": float(log10_p.mean()),
        "cosine": float(cosine.mean()),
        "power": 100 * float((log10_p < DETECTED).mean()),
        "false_positives": 100 * float((log10_p < math.log10(0.05)).mean()),
    }


def within(features: Tensor, labels: Tensor) -> float:
    """features (n, d), labels (n,) -> root of the mean squared distance from the mean of the class."""
    inner = torch.cat([features[labels == k] - features[labels == k].mean(0) for k in labels.unique()])
    return inner.square().sum(1).mean().sqrt().item()
