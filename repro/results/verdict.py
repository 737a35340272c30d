"""From the records of a recipe and one expected number to a verdict.

Equality is shown by an equivalence test, not by the absence of a significant difference: the 90 % interval of
(mean − expected) must lie within ±delta (two one-sided t-tests at 0.05; Schuirmann 1987). Bounds and orderings
are one-sided t-tests at 0.05. An end of the interval exactly on the margin counts as inside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Literal, get_args

from repro.recipes.schema import Expected
from repro.results.record import Record
from repro.results.statistics import exceedance_p, interval, normal_interval, seeds_needed
from repro.results.version import Version, changes, current, of_hash

Verdict = Literal["matches", "differs", "better", "undecided", "not comparable", "stale?", "stale", "missing"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
NOT_COMPARABLE = "All runs are smoke runs or have overridden values."


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The values of a metric over `n` runs; `low` to `high` is the 90 % interval of their mean."""

    n: int = 0
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Judgement(Sample):
    """A verdict and what it rests on.

    `difference` is the mean of (metric − expected), or of (metric − other metric). An undecided one says how many
    more seeds would probably decide it (None: unknown, or more than 100 in all) and how many minutes they take.
    `p_matches` and `p_differs` are the p-values of the two tests, where the verdict rests on tests; `confirmed` is
    the number of runs by earlier code that a run by the present code has confirmed.
    """

    verdict: Verdict
    reason: str
    confirmed: int = 0
    p_matches: float | None = None
    p_differs: float | None = None
    difference: float | None = None
    more_seeds: int | None = None
    more_minutes: float | None = None


def sample(values: Sequence[float], sd: float | None = None) -> Sample:
    """Describes the values; `sd` is their standard deviation where it is known beforehand."""
    low, high = _interval(values, sd) or (None, None)
    n = len(values)
    return Sample(n=n, mean=mean(values), sd=stdev(values) if n > 1 else None, low=low, high=high)


def judge(expected: Expected, records: Sequence[Record], now: Version) -> Judgement:
    """The verdict on one expected number, from all records of its recipe."""
    known = of_hash(records, now)
    if not known:
        return _without_runs(records)
    runs = current(known, now)
    metrics = [expected.metric, expected.greater_than] if expected.greater_than else [expected.metric]
    complete = [r for r in runs or known if all(m in r.metrics for m in metrics)]
    shown = vars(sample([r.metrics[expected.metric] for r in complete]) if complete else Sample())
    if not known[0].comparable:
        return Judgement(**shown, verdict="not comparable", reason=NOT_COMPARABLE)
    if not runs:
        return Judgement(**shown, verdict="stale?", reason=outdated(known, now))
    if not complete:
        recorded = ", ".join(sorted(runs[0].metrics)) or "none"
        wanted = " and ".join(metrics)
        return Judgement(verdict="missing", reason=f"No record has {wanted} (recorded: {recorded}).")
    return _of_runs(expected, complete, confirmed=sum(r.code_digest != now.code for r in complete))


def outdated(runs: Sequence[Record], now: Version) -> str:
    """What has changed since these runs, and what to do about it."""
    modules = changes(runs, now)
    named = ", ".join(modules[:3]) + (f" and {len(modules) - 3} more" if len(modules) > 3 else "")
    return (
        f"The code has changed since ({named}): `repro run {runs[0].recipe} --confirm` runs one seed again, and "
        "all if that one comes out otherwise."
    )


def _without_runs(records: Sequence[Record]) -> Judgement:
    if any(r.comparable for r in records):
        return Judgement(verdict="stale", reason="The recipe has changed since it was run.")
    if records:
        return Judgement(verdict="not comparable", reason=NOT_COMPARABLE)
    return Judgement(verdict="missing", reason="The recipe has not been run.")


def _of_runs(expected: Expected, runs: Sequence[Record], confirmed: int = 0) -> Judgement:
    values = [r.metrics[expected.metric] for r in runs]
    gaps = [value - _reference(expected, run) for value, run in zip(values, runs, strict=True)]
    known_sd = None if expected.greater_than else expected.sd
    ends = _interval(gaps, known_sd)
    verdict = _decide(expected, gaps, ends)
    more = _more_seeds(expected, gaps) if verdict == "undecided" and ends else None
    p_matches, p_differs = (
        (None, None) if expected.exact else p_values(expected, gaps, known_sd) or (None, None)
    )
    return Judgement(
        **vars(sample(values, known_sd)),
        verdict=verdict,
        reason=_reason(expected, gaps, ends, verdict),
        confirmed=confirmed,
        p_matches=p_matches,
        p_differs=p_differs,
        difference=mean(gaps),
        more_seeds=more,
        more_minutes=more * mean(r.seconds for r in runs) / 60 if more else None,
    )


def _reference(expected: Expected, run: Record) -> float:
    """The number that the run's metric is compared with."""
    target = expected.target
    return run.metrics[target] if isinstance(target, str) else float(target or 0)


def _interval(values: Sequence[float], sd: float | None) -> tuple[float, float] | None:
    """The 90 % interval of the mean; of a single value only if its standard deviation is known."""
    if len(values) > 1:
        return interval(values)
    return normal_interval(values[0], sd) if sd else None


def p_values(expected: Expected, gaps: Sequence[float], sd: float | None) -> tuple[float, float] | None:
    """The p-values of the tests that the statement holds and that it does not; None for one run of unknown sd."""
    if len(gaps) < 2 and not sd:
        return None
    margin = expected.delta or 0
    if expected.relation == "equals":
        above, below = exceedance_p(gaps, margin, sd), exceedance_p([-g for g in gaps], margin, sd)
        inside = max(exceedance_p(gaps, -margin, sd), exceedance_p([-g for g in gaps], -margin, sd))
        return inside, min(above, below)
    signed = [-gap for gap in gaps] if expected.relation == "at_most" else gaps
    bound = margin if expected.relation == "greater_than" else 0.0
    return exceedance_p(signed, bound, sd), exceedance_p([-gap for gap in signed], -bound, sd)


def _decide(expected: Expected, gaps: Sequence[float], ends: tuple[float, float] | None) -> Verdict:
    if expected.exact:
        return "matches" if all(_holds(expected, gap) for gap in gaps) else "differs"
    if ends is None:
        return "undecided"
    if expected.relation == "equals":
        return _equivalence(*ends, expected.delta or 0, expected.better)
    if expected.relation == "greater_than":
        margin = expected.delta or 0
        return "matches" if ends[0] > margin else "differs" if ends[1] <= margin else "undecided"
    low, high = ends if expected.relation == "at_least" else (-ends[1], -ends[0])
    return "matches" if low >= 0 else "differs" if high < 0 else "undecided"


def _holds(expected: Expected, gap: float) -> bool:
    """Whether the statement is true of one run, to the numerical tolerance."""
    delta = expected.delta or 0
    if expected.relation == "greater_than":
        return gap > delta
    excess = {"equals": abs(gap), "at_least": -gap, "at_most": gap}[expected.relation]
    return _within(excess, delta)


def _equivalence(low: float, high: float, delta: float, better: str) -> Verdict:
    if _within(high, delta) and _within(-low, delta):
        return "matches"
    if low > delta:
        return "better" if better == "higher" else "differs"
    if high < -delta:
        return "better" if better == "lower" else "differs"
    return "undecided"


def _within(size: float, delta: float) -> bool:
    """Whether size <= delta, when a decimal number such as 0.8 - 0.7 is only nearly what it says."""
    return size <= delta or math.isclose(size, delta, rel_tol=1e-9)


def _more_seeds(expected: Expected, gaps: Sequence[float]) -> int | None:
    n, gap, delta = len(gaps), mean(gaps), expected.delta or 0
    sd = stdev(gaps) if n > 1 else expected.sd or 0
    if expected.relation == "greater_than":
        gap -= delta
    total = seeds_needed(sd, gap, delta if expected.relation == "equals" else 0, have=n)
    return None if total is None else total - n


def _reason(
    expected: Expected, gaps: Sequence[float], ends: tuple[float, float] | None, verdict: Verdict
) -> str:
    unit = f" {expected.unit}" if expected.unit else ""
    if expected.exact:
        worst, tolerance = _worst(expected, gaps), expected.delta or 0
        return f"The worst difference of {len(gaps)} is {worst:+.3g}{unit}, tolerance {tolerance:g}."
    if ends is None:
        return f"One run, off by {gaps[0]:+.3g}{unit}: its spread is unknown."
    margin = {
        "equals": f"within ±{expected.delta or 0:g}",
        "greater_than": f"above {expected.delta or 0:g}",
        "at_least": "at or above 0",
        "at_most": "at or below 0",
    }[expected.relation]
    how = {"matches": "wholly", "undecided": "partly"}.get(verdict, "nowhere")
    return f"The 90 % interval of the difference, {ends[0]:+.3g} to {ends[1]:+.3g}{unit}, is {how} {margin}."


def _worst(expected: Expected, gaps: Sequence[float]) -> float:
    if expected.relation == "equals":
        return max(gaps, key=abs)
    return max(gaps) if expected.relation == "at_most" else min(gaps)
