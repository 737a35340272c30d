"""Noise-contrastive estimation of an ICA model: Gutmann and Hyvärinen 2010 (AISTATS), section 3."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.contrastive.ica import Array, likelihood, nce, normaliser
from repro.experiments.contrastive.nce_ica_options import NceIcaOptions
from repro.keys import key


class NceIca(Stage):
    """Fits B and c of log p(x) = −√2 Σ|b_i x| + c to x = A s, s unit-variance Laplacian, A random, by NCE.

    For each of `repeats` mixings (condition number at most `condition`) and each number T of samples: the
    noise is Gaussian with the data's covariance, ν T samples of it for each ν of `ratios`; L-BFGS starts from
    `starts` random rotations of the whitened data, and the best objective counts. Maximum likelihood, where
    c = log|det B| − (n/2) log 2, is fitted to the same data.

    Errors are squared and summed, up to the order and sign of the rows of B, and averaged over the repeats.
    Metrics: `b_slope`, `c_slope`, of log10 error against log10 T for the first ν (of B the mean of the log, so
    that no mixing outweighs the others); for each ν at the largest T, errors times T: `mixing_nu<ν>` of B A
    against I, which does not depend on A, and `c_nu<ν>`; `mixing_ml`, the same of maximum likelihood.
    """

    Options = NceIcaOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        loop = Loop(ctx, o.repeats, {}, sum(o.samples))
        for repeat in loop:
            random = np.random.default_rng(key(ctx.seed, ctx.stage, repeat))
            mixing = mixing_matrix(o.dim, o.condition, random)
            found: dict[str, float] = {}
            for samples in o.samples:
                ratios = o.ratios if samples == o.samples[-1] else o.ratios[:1]
                found |= self._errors(mixing, samples, ratios, random)
            loop.log(**found)
        errors = {k: np.array([point[k] for point in loop.curve]) for k in loop.curve[0] if k != "step"}
        most, first = o.samples[-1], o.ratios[0]
        b = [np.log10(errors[f"b_nu{first}_{t}"]).mean() for t in o.samples]
        c = [np.log10(errors[f"c_nu{first}_{t}"].mean()) for t in o.samples]
        metrics = {
            f"{k}_slope": float(np.polyfit(np.log10(o.samples), y, 1)[0]) for k, y in (("b", b), ("c", c))
        }
        for kind in [f"{name}_nu{ratio}" for name in ("mixing", "c") for ratio in o.ratios] + ["mixing_ml"]:
            metrics[kind] = most * float(errors[f"{kind}_{most}"].mean())
        return Outcome(metrics, loop.curve, loop.facts)

    def _errors(
        self, mixing: Array, samples: int, ratios: tuple[int, ...], random: np.random.Generator
    ) -> dict[str, float]:
        """Squared errors of NCE at each ν and, where there are several, of maximum likelihood too."""
        o, truth = self.options, np.linalg.inv(mixing)
        n = o.dim
        x = laplacian((samples, n), random) @ mixing.T
        half = np.linalg.cholesky(np.cov(x.T))
        rotations = [np.linalg.qr(random.normal(size=(n, n)))[0] for _ in range(o.starts)]
        starts = [r @ np.linalg.inv(half) for r in rotations]
        errors = {}
        for ratio in ratios:
            noise = random.normal(size=(ratio * samples, n)) @ half.T
            b, c = nce(x, noise, half, starts)
            starts = [b]
            b = aligned(b, mixing)
            errors[f"b_nu{ratio}_{samples}"] = float(np.square(b - truth).sum())
            errors[f"mixing_nu{ratio}_{samples}"] = float(np.square(b @ mixing - np.eye(n)).sum())
            errors[f"c_nu{ratio}_{samples}"] = (c - normaliser(truth)) ** 2
        if samples == o.samples[-1]:
            b = aligned(likelihood(x, starts), mixing)
            errors[f"mixing_ml_{samples}"] = float(np.square(b @ mixing - np.eye(n)).sum())
        return errors

    @classmethod
    def smoke(cls, options: Any) -> Any:
        small = {"samples": (100, 200), "ratios": options.ratios[:2], "repeats": 2}
        return options.model_copy(update=small)


def mixing_matrix(n: int, condition: float, random: np.random.Generator) -> Array:
    """A Gaussian matrix (n, n), drawn anew until its condition number is at most `condition`."""
    while True:
        matrix = random.normal(size=(n, n))
        if np.linalg.cond(matrix) <= condition:
            return matrix


def laplacian(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """Laplacian variables of unit variance, density e^(−√2|s|)/√2."""
    return random.laplace(scale=math.sqrt(0.5), size=shape)


def aligned(b: Array, mixing: Array) -> Array:
    """B (n, n) with its rows in the order and with the signs that bring B A nearest to the identity."""
    product = b @ mixing
    rows, columns = linear_sum_assignment(-np.abs(product))
    order = rows[np.argsort(columns)]
    return b[order] * np.sign(np.diag(product[order]))[:, None]
