"""Recipes, or single records, compared with each other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from statistics import mean
from typing import Literal

from repro.errors import UserError
from repro.results.formats import number, tabular
from repro.results.record import Record
from repro.results.statistics import interval, welch_interval

Seeds = dict[int, float]
How = Literal["paired", "welch", "single"]


@dataclass(frozen=True)
class Difference:
    """The difference of a metric's means, first − second, with its 90 % interval from `low` to `high`.

    `how` says where the interval comes from: `paired` by seed when both groups have the same seeds, else `welch`;
    `single` when a group has one run only and there is no interval.
    """

    metric: str
    first: str
    second: str
    n_first: int
    n_second: int
    mean_first: float
    mean_second: float
    difference: float
    low: float | None
    high: float | None
    how: How


def differences(groups: Mapping[str, Sequence[Record]]) -> list[Difference]:
    """Every two groups of records compared, for each metric that they share.

    Raises UserError when there are not two groups, one has no records, or they share no metric.
    """
    if len(groups) < 2:
        raise UserError("Name at least two different recipes or records to compare.")
    for name, records in groups.items():
        if not records:
            raise UserError(f"`{name}` has no comparable record of its present version; run it first.")
    found = [d for first, second in combinations(groups, 2) for d in _shared(groups, first, second)]
    if not found:
        raise UserError(f"{' and '.join(groups)} have no metric in common.")
    return found


def _shared(groups: Mapping[str, Sequence[Record]], first: str, second: str) -> Iterator[Difference]:
    a, b = _by_metric(groups[first]), _by_metric(groups[second])
    for metric in sorted(a.keys() & b.keys()):
        yield _difference(metric, first, second, a[metric], b[metric])


def _by_metric(records: Sequence[Record]) -> dict[str, Seeds]:
    found: dict[str, Seeds] = {}
    for record in records:
        for metric, value in record.metrics.items():
            found.setdefault(metric, {})[record.seed] = value
    return found


def _difference(metric: str, first: str, second: str, a: Seeds, b: Seeds) -> Difference:
    low, high, how = _interval(a, b)
    return Difference(
        metric=metric,
        first=first,
        second=second,
        n_first=len(a),
        n_second=len(b),
        mean_first=mean(a.values()),
        mean_second=mean(b.values()),
        difference=mean(a.values()) - mean(b.values()),
        low=low,
        high=high,
        how=how,
    )


def _interval(a: Seeds, b: Seeds) -> tuple[float | None, float | None, How]:
    if min(len(a), len(b)) < 2:
        return None, None, "single"
    if a.keys() == b.keys():
        return *interval([a[seed] - b[seed] for seed in a]), "paired"
    return *welch_interval(list(a.values()), list(b.values())), "welch"


def render(found: Sequence[Difference], format: str = "text") -> str:
    """The differences as `text`, `md`, `latex`, `html` or `json`."""
    if format == "json":
        return json.dumps([asdict(d) for d in found], indent=2, ensure_ascii=False)
    header = ("metric", "of", "first (n)", "second (n)", "difference, 90 % interval", "how")
    return tabular(header, [_cells(d) for d in found], format)


def _cells(d: Difference) -> tuple[str, ...]:
    half = (d.high - d.low) / 2 if d.low is not None and d.high is not None else None
    first, second, difference = (number(x, half) for x in (d.mean_first, d.mean_second, d.difference))
    return (
        d.metric,
        f"{d.first} − {d.second}",
        f"{first} ({d.n_first})",
        f"{second} ({d.n_second})",
        difference if half is None else f"{difference} ± {number(half, half)}",
        d.how,
    )
