"""The shape of DiscoPOP's loss: Lu et al. 2024 (arXiv 2406.08414), the log-ratio modulated loss."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, log_expit

from repro import pictures
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.alignment_llm.preference_landscape_options import PreferenceLandscapeOptions

CELLS = 4000  # in which a change of the slope's sign is looked for


class PreferenceLandscape(Stage):
    """The stationary points of the loss as a function of ρ, the difference of the log ratios, for |ρ| up to `span`.

    Metrics: `minima` and `maxima`, how many there are; of the first of each, `minimum_at` and `maximum_at`, ρ, and
    `minimum` and `maximum`, the loss in nats; `at_zero`, the loss at ρ = 0; `left_error` and `right_error`, at
    ρ = −`span` and `span`, the relative difference to the logistic and to the exponential loss.
    """

    Options = PreferenceLandscapeOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        found = stationary(o.beta, o.tau, o.span)
        left, right = -o.beta * o.span, o.beta * o.span
        metrics = {"at_zero": loss(0.0, o.tau)}
        for name, kind in (("minimum", "minima"), ("maximum", "maxima")):
            at = [rho for rho, curvature in found if (curvature > 0) == (name == "minimum")]
            metrics |= {kind: float(len(at)), f"{name}_at": at[0] if at else math.nan}
            metrics[name] = loss(o.beta * at[0], o.tau) if at else math.nan
        metrics["left_error"] = abs(loss(left, o.tau) / -float(log_expit(left)) - 1)
        metrics["right_error"] = abs(loss(right, o.tau) / math.exp(-right) - 1)
        if ctx.setup.main:
            rho = np.linspace(-6, 6, 601).tolist()
            curves = {
                "DiscoPOP": (rho, [loss(o.beta * r, o.tau) for r in rho]),
                "logistic": (rho, [-float(log_expit(o.beta * r)) for r in rho]),
                "exponential": (rho, [math.exp(-o.beta * r) for r in rho]),
            }
            pictures.plot(ctx.picture("loss.svg"), curves, "difference of log ratios ρ", "loss")
        return Outcome(metrics)


def loss(x: float, tau: float) -> float:
    """(1 − s) (−log σ(x)) + s e^(−x), s = σ(x/τ), for x = β ρ."""
    s = float(expit(x / tau))
    return (s - 1) * float(log_expit(x)) + s * math.exp(-x)


def slope(x: float, tau: float) -> float:
    """The derivative of `loss` by x."""
    s = float(expit(x / tau))
    return (
        s * (1 - s) / tau * (math.exp(-x) + float(log_expit(x)))
        - (1 - s) * float(expit(-x))
        - s * math.exp(-x)
    )


def stationary(beta: float, tau: float, span: float) -> list[tuple[float, float]]:
    """(ρ, the sign of the curvature) where the slope changes its sign, in rising order."""
    grid = np.linspace(-span, span, CELLS + 1)
    slopes = [slope(beta * rho, tau) for rho in grid]
    return [
        (
            float(brentq(lambda rho: slope(beta * rho, tau), grid[i], grid[i + 1], xtol=1e-13)),
            math.copysign(1, slopes[i + 1]),
        )
        for i in range(CELLS)
        if (slopes[i] < 0) != (slopes[i + 1] < 0)
    ]
