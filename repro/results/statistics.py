"""Student's t: intervals, and the power of the tests behind the verdicts.

Written with the standard library alone, because `repro table` must answer in well under a second and importing
SciPy takes longer than that; the tests check every function against SciPy. All intervals are two-sided: a level
of 0.90 is that of two one-sided tests at 0.05.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cache
from statistics import NormalDist, mean, stdev, variance

LEVEL = 0.90
_NORMAL = NormalDist()


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b), for a, b > 0 and x in [0, 1].

    By the continued fraction DLMF 8.17.22, evaluated with Lentz's method.
    """
    if x in (0.0, 1.0):
        return x
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side only
        return 1 - incomplete_beta(b, a, 1 - x)
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta) / a
    c, d, fraction = 1.0, 0.0, 1.0
    for m in range(1000):
        before = fraction
        for term in (
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
            (m + 1) * (b - m - 1) * x / ((a + 2 * m + 1) * (a + 2 * m + 2)),
        ):
            d = 1 / (1 + term * d)
            c = 1 + term / c
            fraction *= c * d
        if math.isclose(fraction, before, rel_tol=1e-14):
            break
    return front / fraction


def t_cdf(t: float, df: float) -> float:
    """The distribution function of Student's t with `df` > 0 degrees of freedom (Abramowitz & Stegun 26.7.1)."""
    central = incomplete_beta(0.5, df / 2, t * t / (df + t * t))
    return 0.5 + math.copysign(central, t) / 2


@cache
def t_quantile(p: float, df: float) -> float:
    """The value t with t_cdf(t, df) = p, for 0 < p < 1; by bisection."""
    if p < 0.5:
        return -t_quantile(1 - p, df)
    low, high = 0.0, 1.0
    while t_cdf(high, df) < p:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if t_cdf(middle, df) < p else (low, middle)
    return high


def interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """The t-interval of the mean of independent normal values; a point when all are equal.

    Raises statistics.StatisticsError for fewer than two values.
    """
    n = len(values)
    half = stdev(values) / math.sqrt(n) * t_quantile((1 + level) / 2, n - 1)
    return mean(values) - half, mean(values) + half


def normal_interval(value: float, sd: float, level: float = LEVEL) -> tuple[float, float]:
    """The interval of the mean around one value whose standard deviation is known."""
    half = sd * _NORMAL.inv_cdf((1 + level) / 2)
    return value - half, value + half


def welch_interval(a: Sequence[float], b: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """The interval of mean(a) - mean(b) for groups with unequal variances (Welch 1947).

    Raises statistics.StatisticsError when a group has fewer than two values.
    """
    difference = mean(a) - mean(b)
    part_a, part_b = variance(a) / len(a), variance(b) / len(b)
    total = part_a + part_b
    if total == 0:
        return difference, difference
    df = 1 / ((part_a / total) ** 2 / (len(a) - 1) + (part_b / total) ** 2 / (len(b) - 1))
    half = math.sqrt(total) * t_quantile((1 + level) / 2, df)
    return difference - half, difference + half


def exceedance_p(values: Sequence[float], bound: float, sd: float | None = None) -> float:
    """The p-value of the one-sided t-test that the mean is above `bound`; of one value with known `sd`, a z-test."""
    n, above = len(values), mean(values) - bound
    error = stdev(values) / math.sqrt(n) if n > 1 else sd or 0.0
    if not error:
        return 0.0 if above > 0 else 1.0
    return 1 - (t_cdf(above / error, n - 1) if n > 1 else _NORMAL.cdf(above / error))


def equivalence_power(n: int, sd: float, difference: float, delta: float, alpha: float = 0.05) -> float:
    """The probability that the interval of `n` >= 2 runs lies within ±delta, when the mean is off by `difference`.

    Exact for normal runs with standard deviation `sd` > 0: the power of two one-sided t-tests, as an expectation
    over the distribution of the sample's standard deviation (Phillips 1990; Owen 1965).
    """
    df, scale = n - 1, math.sqrt(n) / sd
    per_chi = t_quantile(1 - alpha, df) / math.sqrt(df)

    def inside(chi: float) -> float:
        above = _NORMAL.cdf((delta - difference) * scale - per_chi * chi)
        return above - _NORMAL.cdf((-delta - difference) * scale + per_chi * chi)

    return _over_chi(inside, df, delta * scale / per_chi)


def exceedance_power(n: int, sd: float, margin: float, alpha: float = 0.05) -> float:
    """The probability that the interval of `n` >= 2 runs lies wholly above a bound `margin` below the mean."""
    df, shift = n - 1, margin * math.sqrt(n) / sd
    per_chi = t_quantile(1 - alpha, df) / math.sqrt(df)
    return _over_chi(lambda chi: _NORMAL.cdf(shift - per_chi * chi), df)


def seeds_needed(
    sd: float, difference: float, delta: float, have: int = 0, power: float = 0.8, most: int = 100
) -> int | None:
    """How many runs in total, more than `have`, decide with probability `power`; None if more than `most`.

    This takes the observed `sd` and `difference` for the true ones. The decision is that the mean is within
    ±delta, or, where the difference is not smaller than that, that it is outside.
    """
    gap = abs(difference)

    def reached(n: int) -> float:
        if gap < delta:
            return equivalence_power(n, sd, gap, delta)
        return exceedance_power(n, sd, gap - delta)

    totals = range(max(2, have + 1), most + 1)
    position = bisect_left(totals, power, key=reached)
    return totals[position] if position < len(totals) else None


def _over_chi(f: Callable[[float], float], df: int, below: float = math.inf, steps: int = 120) -> float:
    """The expectation of f(x) over x < below, where x = sd of a sample · √df / true sd; by Simpson's rule."""
    # A chi variable is within 6 of √df but for a probability of 1e-11; 1e-12 stands for 0, whose log is infinite.
    low, high = max(1e-12, math.sqrt(df) - 6), min(below, math.sqrt(df) + 6)
    if high <= low:
        return 0.0
    log_scale = (1 - df / 2) * math.log(2) - math.lgamma(df / 2)

    def weighted(x: float) -> float:
        return f(x) * math.exp(log_scale + (df - 1) * math.log(x) - x * x / 2)

    h = (high - low) / steps
    odd = sum(weighted(low + h * i) for i in range(1, steps, 2))
    even = sum(weighted(low + h * i) for i in range(2, steps, 2))
    return h / 3 * (weighted(low) + 4 * odd + 2 * even + weighted(high))
