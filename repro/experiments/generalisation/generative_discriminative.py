"""Naive Bayes against logistic regression on Gaussian mixtures: Zheng et al. 2023 (arXiv 2302.02334), simulations.

Generator, models and stopping rule are those of the authors' data/generate_data.py and main_simulation.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repro import pictures
from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.generalisation.generative_discriminative_options import GenerativeDiscriminativeOptions
from repro.keys import key

Array = NDArray[Any]
TESTED = 10_000
SMOOTHING = 1e-9  # added to the variances, as by the authors


class GenerativeDiscriminative(Stage):
    """How many samples each classifier needs in n dimensions to err on less than `error` of the test set.

    For each n of `features` the number m rises from 2 K in steps of ⌈log n⌉, or of `growth` times m where that is
    more, with fresh samples each time; the first m that is good enough counts (100 n if none below is), and the
    mean over `repeats` is taken.

    Metrics: `nb_<n>` and `lr_<n>`, samples; `nb_slope` and `lr_slope`, of log samples against log n.
    """

    Options = GenerativeDiscriminativeOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        plan = [(n, repeat) for n in o.features for repeat in range(o.repeats)]
        loop = Loop(ctx, len(plan), {}, 1)
        for step in loop:
            n, repeat = plan[step]
            test = mixture(
                np.arange(TESTED) % o.classes,
                o.classes,
                n,
                np.random.default_rng(key(ctx.seed, ctx.stage, n)),
            )
            random = np.random.default_rng(key(ctx.seed, ctx.stage, n, repeat))
            needed = {model: self._needed(model, n, test, random) for model in MODELS}
            loop.log(n=n, **needed)
        found = {
            m: [float(np.mean([p[m] for p in loop.curve if p["n"] == n])) for n in o.features] for m in MODELS
        }
        if ctx.setup.main:
            names = {"nb": "naive Bayes", "lr": "logistic regression"}
            curves = {names[m]: (o.features, found[m]) for m in MODELS}
            pictures.plot(ctx.picture("samples.svg"), curves, "features n", "samples needed", log="xy")
        metrics = {f"{m}_{n}": value for m in MODELS for n, value in zip(o.features, found[m], strict=True)}
        for m in MODELS:
            metrics[f"{m}_slope"] = float(np.polyfit(np.log(o.features), np.log(found[m]), 1)[0])
        return Outcome(metrics, loop.curve, loop.facts)

    def _needed(self, model: str, n: int, test: tuple[Array, Array], random: np.random.Generator) -> int:
        """The first m that is good enough, or 100 n."""
        o = self.options
        for m in sizes(o.classes, n, o.growth):
            labels = random.integers(o.classes, size=m)
            while len(np.unique(labels)) < o.classes:
                labels = random.integers(o.classes, size=m)
            predict = MODELS[model](*mixture(labels, o.classes, n, random))
            if np.mean(predict(test[0]) != test[1]) < o.error:
                return m
        return 100 * n

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"repeats": 1, "error": 0.99})


def sizes(classes: int, n: int, growth: float) -> Iterator[int]:
    """Numbers of samples below 100 n, from 2 K."""
    m = 2 * classes
    while m < 100 * n:
        yield m
        m += max(math.ceil(math.log(n)), int(growth * m))


def mixture(labels: Array, classes: int, n: int, random: np.random.Generator) -> tuple[Array, Array]:
    """labels (m,) of K classes -> inputs (m, n) float32, and the labels.

    The mean of each coordinate is −1 for class 0 and 2^(k−1) for class k; its variance n in the first half of the
    coordinates and 1 in the others. For K > 2 the inputs become (x − c)/c with c = 2^(K−3).
    """
    mean = np.array([-1.0, *(2.0**k for k in range(classes - 1))])[labels]
    deviation = np.where(np.arange(n) < n // 2, math.sqrt(n), 1.0)
    x = mean[:, None] + random.standard_normal((len(labels), n)) * deviation
    if classes > 2:
        x = x / 2.0 ** (classes - 3) - 1
    return x.astype(np.float32), labels


def naive_bayes(x: Array, labels: Array) -> Any:
    """Gaussian naive Bayes whose classes share the variance of each feature: x (m, n) -> a predictor of labels.

    argmax_k log π_k − ½ Σ_j (x_j − μ_kj)²/σ_j², σ_j² the mean variance within the classes, weighted by π_k.
    """
    x = x.astype(np.float64)
    share = np.bincount(labels) / len(labels)
    mean = np.stack([x[labels == k].mean(0) for k in range(len(share))])
    variance = np.square(x - mean[labels]).mean(0) + SMOOTHING
    weight = mean / variance
    bias = np.log(share) - (weight * mean).sum(1) / 2
    return lambda points: (points @ weight.T + bias).argmax(1)


def logistic(x: Array, labels: Array) -> Any:
    """Multinomial logistic regression, penalty ½ |w|² (C = 1), by L-BFGS: x (m, n) -> a predictor of labels.

    It stops when no entry of the gradient of the summed loss is above 1e-4, the rule of scikit-learn before 1.4. The
    same tolerance for the mean (its pull request 26721) ends far from the minimum.
    """
    from sklearn.linear_model import LogisticRegression  # takes a second to import

    return LogisticRegression(C=1.0, max_iter=1000, tol=1e-4 / len(x)).fit(x, labels).predict


MODELS = {"nb": naive_bayes, "lr": logistic}
