"""The table of results: what the papers report, what was measured, and the verdict."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from repro.recipes.schema import Deviation, Expected, Recipe
from repro.results.formats import csv_text, duration, number, paragraph, tabular
from repro.results.store import Store
from repro.results.verdict import VERDICTS, Judgement, Sample, Verdict, current, judge, sample

_SIGNS = {"equals": "=", "at_least": "≥", "at_most": "≤", "greater_than": ">"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One expected number and what came of it; or a measured number with nothing to compare it with.

    The latter has no `relation` and no `verdict`. `low` to `high` is the 90 % interval of the mean; `verified` says
    that the expected number is more than remembered, and `reproduced` that a claim of the paper is met by runs
    without disqualifying deviations. `deviations` are those that the recipe declares and those that its runs met.
    """

    recipe: str
    paper: str
    tier: str
    metric: str
    expected: float | str | None = None
    unit: str = ""
    delta: float | None = None
    relation: str | None = None
    evidence: str | None = None
    n: int
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None
    verdict: Verdict | None = None
    verified: bool = False
    reproduced: bool = False
    judgement: Judgement | None = None
    deviations: tuple[Deviation, ...] = ()

    def json(self) -> dict[str, Any]:
        """What JSON and CSV show; other programs rely on these names."""
        return {key: getattr(self, key) for key in KEYS}


KEYS = tuple(field.name for field in fields(Row))[:16]


def rows(recipes: Iterable[tuple[Recipe, str]], store: Store) -> list[Row]:
    """One row per (recipe, its hash) and expected number; for a recipe that expects none, per measured metric."""
    return [row for recipe, recipe_hash in recipes for row in _rows_of(recipe, recipe_hash, store)]


def _rows_of(recipe: Recipe, recipe_hash: str, store: Store) -> Iterator[Row]:
    records = store.of(recipe.id)
    runs = current(records, recipe_hash)
    met = (d for run in runs for d in run.deviations)
    deviations = tuple(dict.fromkeys([*recipe.deviations, *met]))
    for expected in recipe.expected:
        judgement = judge(expected, records, recipe_hash)
        claim = _claim(recipe, expected, judgement, deviations)
        yield _row(recipe, expected.metric, judgement, deviations=deviations, judgement=judgement, **claim)
    if not recipe.expected:
        for metric in sorted({metric for run in runs for metric in run.metrics}):
            values = [run.metrics[metric] for run in runs if metric in run.metrics]
            yield _row(recipe, metric, sample(values), deviations=deviations)


def _row(recipe: Recipe, metric: str, measured: Sample, **rest: Any) -> Row:
    numbers = {field.name: getattr(measured, field.name) for field in fields(Sample)}
    return Row(recipe=recipe.id, paper=recipe.paper, tier=recipe.tier, metric=metric, **numbers, **rest)


def _claim(
    recipe: Recipe, expected: Expected, judgement: Judgement, deviations: Iterable[Deviation]
) -> dict[str, Any]:
    verified = expected.source.evidence != "memory"
    sound = recipe.claim == "paper" and not any(d.disqualifies for d in deviations)
    return {
        "expected": expected.target,
        "unit": expected.unit,
        "delta": expected.delta,
        "relation": expected.relation,
        "evidence": expected.source.evidence,
        "verdict": judgement.verdict,
        "verified": verified,
        "reproduced": judgement.verdict == "matches" and verified and sound,
    }


def render(rows: Sequence[Row], format: str = "text") -> str:
    """The rows as `text`, `md`, `latex` or `html` for people, or as `csv` or `json`, which hold the judged ones."""
    judged = [row for row in rows if row.verdict]
    if format == "json":
        return json.dumps([row.json() for row in judged], indent=2, ensure_ascii=False)
    if format == "csv":
        return csv_text(KEYS, [[getattr(row, key) for key in KEYS] for row in judged])
    return "\n\n".join(_page(judged, [row for row in rows if not row.verdict], format))


def _page(judged: Sequence[Row], measured: Sequence[Row], format: str) -> Iterator[str]:
    met = dict.fromkeys(d for row in (*judged, *measured) for d in row.deviations)
    marks = {d: f"{i}{'!' * d.disqualifies}" for i, d in enumerate(met, 1)}
    if judged:
        header = ("recipe", "metric", "expected", "measured", "verdict", "evidence", "deviations")
        yield tabular(header, [_cells(row, marks) for row in judged], format)
    if measured:
        yield paragraph("Measured, with no reported number to compare with:", format)
    for metrics, alike in _by_metrics(measured).items():
        body = [(r, *map(measured_cell, cells), _marked(cells[0], marks)) for r, cells in alike.items()]
        yield tabular(("recipe", *metrics, "deviations"), body, format)
    if marks:
        yield paragraph("Deviations (! disqualifies: the run is not counted as a reproduction):", format)
        body = [(mark, d.what, d.paper, d.here) for d, mark in marks.items()]
        yield tabular(("", "what", "paper", "here"), body, format, widths=(None, 24, 40, 40))
    yield paragraph(summary(judged), format)


def _by_metrics(measured: Sequence[Row]) -> dict[tuple[str, ...], dict[str, list[Row]]]:
    """The rows of each recipe, for recipes with the same metrics together, so that they stand side by side."""
    of: dict[str, list[Row]] = {}
    for row in measured:
        of.setdefault(row.recipe, []).append(row)
    alike: dict[tuple[str, ...], dict[str, list[Row]]] = {}
    for recipe, own in of.items():
        alike.setdefault(tuple(row.metric for row in own), {})[recipe] = own
    return alike


def _cells(row: Row, marks: Mapping[Deviation, str]) -> tuple[str, ...]:
    return (
        row.recipe,
        row.metric,
        expected_cell(row),
        measured_cell(row),
        verdict_cell(row),
        f"{row.evidence}{'' if row.verified else ' ?'}",
        _marked(row, marks),
    )


def _marked(row: Row, marks: Mapping[Deviation, str]) -> str:
    return ", ".join(marks[d] for d in row.deviations)


def expected_cell(row: Row) -> str:
    """What is expected, for example `= 76.5 ± 1 %`, `≥ 8 dB`, `> relu.psnr` or `> relu.psnr + 1 dB`."""
    sign, target = _SIGNS[row.relation or ""], row.expected
    if isinstance(target, str):
        return f"{sign} {target} + {row.delta:g} {row.unit}".rstrip() if row.delta else f"{sign} {target}"
    margin = f" ± {row.delta:g}" if row.delta and sign == "=" else ""
    return f"{sign} {target:.10g}{margin} {row.unit}".rstrip()


def measured_cell(row: Row) -> str:
    """`mean ± sd (n=runs)`, and for an ordering the difference from the other metric."""
    if row.mean is None:
        return ""
    resolution = row.delta or row.sd
    spread = "" if row.sd is None else f" ± {number(row.sd, resolution)}"
    cell = f"{number(row.mean, resolution)}{spread} (n={row.n})"
    if row.relation != "greater_than" or not row.judgement or row.judgement.difference is None:
        return cell
    return f"{cell}, difference {number(row.judgement.difference, resolution)}"


def verdict_cell(row: Row) -> str:
    """The verdict; for an undecided one, what would decide it, or by how much a single run is off."""
    judgement = row.judgement
    if judgement is None or judgement.verdict != "undecided":
        return row.verdict or ""
    if judgement.more_seeds:
        seeds = f"{judgement.more_seeds} more seed{'s' * (judgement.more_seeds > 1)}"
        return f"undecided ({seeds}, about {duration(judgement.more_minutes or 0)})"
    if judgement.sd is None and judgement.low is None:
        return f"undecided (one run, off by {judgement.difference:+.3g})"
    return "undecided (over 100 seeds)"


def summary(rows: Sequence[Row]) -> str:
    """One line: how many expected numbers there are, by verdict, and how many count as reproduced.

    Of those, the numbers that a paper prints are told from those that follow from its theory.
    """
    counts = Counter(row.verdict for row in rows if row.verdict)
    if not counts:
        return "No recipe here expects a number."
    kinds = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    unverified = sum(bool(row.verdict) and not row.verified for row in rows)
    reproduced = [row for row in rows if row.reproduced]
    derived = sum(row.evidence == "derived" for row in reproduced)
    origin = f" ({len(reproduced) - derived} of them printed, {derived} derived)" if reproduced else ""
    return (
        f"{counts.total()} expected results: {kinds}; {unverified} unverified; "
        f"{len(reproduced)} reproduced{origin}."
    )
