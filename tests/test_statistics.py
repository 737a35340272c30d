"""The statistics against SciPy, and by simulation."""

from __future__ import annotations

import random
from statistics import fmean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from repro.results.statistics import (
    equivalence_power,
    exceedance_power,
    interval,
    normal_interval,
    seeds_needed,
    t_cdf,
    t_quantile,
    welch_interval,
)

values = st.lists(st.floats(-100, 100).map(lambda x: round(x, 3)), min_size=2, max_size=8)
quick = settings(deadline=None, max_examples=50)


@quick
@given(st.floats(-1e4, 1e4) | st.floats(-5, 5), st.floats(0.5, 500))
def test_the_t_distribution_is_scipys(t: float, df: float) -> None:
    assert t_cdf(t, df) == pytest.approx(stats.t.cdf(t, df), rel=1e-9, abs=1e-11)


@quick
@given(st.floats(0.001, 0.999), st.floats(1, 500))
def test_t_quantiles_are_scipys(p: float, df: float) -> None:
    assert t_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-8, abs=1e-9)


@quick
@given(values, values, st.sampled_from([0.8, 0.9, 0.99]))
def test_intervals_are_scipys(a: list[float], b: list[float], level: float) -> None:
    if stdev(a) > 1e-6:
        expected = stats.t.interval(level, len(a) - 1, fmean(a), stats.sem(a))
        assert interval(a, level) == pytest.approx(expected, rel=1e-7, abs=1e-9)
    if stdev(a) > 1e-6 and stdev(b) > 1e-6:
        theirs = stats.ttest_ind(a, b, equal_var=False).confidence_interval(level)
        assert welch_interval(a, b, level) == pytest.approx((theirs.low, theirs.high), rel=1e-7, abs=1e-9)


def test_the_interval_of_a_known_spread_is_scipys() -> None:
    assert normal_interval(70, 0.3) == pytest.approx(stats.norm.interval(0.9, 70, 0.3))


def test_equal_values_give_a_point() -> None:
    assert interval([0.1, 0.1, 0.1]) == (0.1, 0.1)
    assert welch_interval([3.0, 3.0], [1.0, 1.0]) == (2.0, 2.0)


def test_one_value_has_no_t_interval() -> None:
    with pytest.raises(ValueError):
        interval([1.0])


@pytest.mark.parametrize("n", [2, 3, 7, 30])
@pytest.mark.parametrize("margin", [-0.3, 0.0, 0.2, 1.0])
def test_the_power_of_a_one_sided_test_is_a_tail_of_the_noncentral_t(n: int, margin: float) -> None:
    sd = 0.4
    tail = stats.nct.sf(stats.t.ppf(0.95, n - 1), n - 1, margin * n**0.5 / sd)
    assert exceedance_power(n, sd, margin) == pytest.approx(tail, abs=1e-5)


@pytest.mark.parametrize("n", [2, 3, 11, 40])
@pytest.mark.parametrize("sd", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("difference", [0.0, -0.2, 0.49])
def test_the_power_of_equivalence_is_its_integral(n: int, sd: float, difference: float) -> None:
    """Given the sample's sd s, the mean must lie within delta − t s/√n of zero; integrated by SciPy over s."""
    delta, error, t = 0.5, sd / n**0.5, stats.t.ppf(0.95, n - 1)

    def given_spread(s: float) -> float:
        room = delta - t * s / n**0.5
        inside = stats.norm.cdf(room, difference, error) - stats.norm.cdf(-room, difference, error)
        return inside * stats.chi.pdf(s, n - 1, scale=sd / (n - 1) ** 0.5)

    expected, _ = integrate.quad(given_spread, 0, delta * n**0.5 / t, limit=200)
    assert equivalence_power(n, sd, difference, delta) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("sd", "delta", "seeds"),
    [
        (0.1, 0.5, 3),
        (0.2, 0.5, 4),
        (0.3, 0.5, 5),
        (0.5, 0.5, 11),
        (0.1, 1, 2),
        (0.2, 1, 3),
        (0.3, 1, 3),
        (0.5, 1, 4),
    ],
)
def test_seeds_for_a_power_of_80_percent(sd: float, delta: float, seeds: int) -> None:
    """Values computed beforehand with another program, for a true difference of zero."""
    assert seeds_needed(sd, 0.0, delta) == seeds


@pytest.mark.parametrize(("sd", "difference", "delta"), [(0.5, 0.2, 1), (0.5, -1.4, 1), (0.3, 0.1, 0)])
def test_the_seeds_found_are_the_fewest(sd: float, difference: float, delta: float) -> None:
    def power(n: int) -> float:
        gap = abs(difference)
        if gap < delta:
            return equivalence_power(n, sd, gap, delta)
        return exceedance_power(n, sd, gap - delta)

    fewest = next(n for n in range(2, 101) if power(n) >= 0.8)
    assert seeds_needed(sd, difference, delta) == fewest
    assert seeds_needed(sd, difference, delta, have=fewest + 3) == fewest + 4
    assert seeds_needed(sd, difference, delta, most=fewest - 1) is None


@pytest.mark.parametrize("difference", [0.4999, 0.5, 0.5001])
def test_a_difference_at_the_margin_is_never_decided(difference: float) -> None:
    assert seeds_needed(0.5, difference, 0.5) is None


@pytest.mark.parametrize(
    ("n", "sd", "difference", "delta"), [(3, 0.3, 0.1, 0.8), (5, 0.5, -0.2, 0.9), (2, 0.1, 1.5, 0.5)]
)
def test_powers_are_those_of_a_simulation(n: int, sd: float, difference: float, delta: float) -> None:
    rng, trials = random.Random(1), 4000
    inside = beyond = 0
    for _ in range(trials):
        low, high = interval([rng.gauss(difference, sd) for _ in range(n)])
        inside += -delta <= low and high <= delta
        beyond += low > delta
    error = 4 * (0.25 / trials) ** 0.5
    assert inside / trials == pytest.approx(equivalence_power(n, sd, difference, delta), abs=error)
    assert beyond / trials == pytest.approx(exceedance_power(n, sd, difference - delta), abs=error)
