"""A row of results: one expected number and what came of it, or a measured one that nobody reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from repro.options import references
from repro.recipes.schema import By, Deviation, Expected, Recipe
from repro.results.store import Store
from repro.results.verdict import Judgement, Sample, Verdict, judge, sample
from repro.results.version import current, of_hash, version

OWN = "paper"  # whose number it is, when it is the paper's own


@dataclass(frozen=True, kw_only=True)
class Row:
    """One expected number and what came of it; or a measured number with nothing to compare it with.

    The latter has no `relation` and no `verdict`. `low` to `high` is the 90 % interval of the mean. `kind`, `of`
    (`paper`, or whose number it is), `role` and `by` say what the number is, see `repro.recipes.schema.Expected`;
    `verified` that it is more than remembered; `counts` that it is a number or direction of the paper's own, that a
    run could reproduce; `reproduced` that runs without disqualifying deviations do;
    `outdated` that all runs are by earlier code; `comparable` that they are of the recipe as it stands, where no
    verdict says so. `deviations` are those that the
    recipe declares and those that its runs met.
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
    kind: str | None = None
    of: str | None = None
    role: str | None = None
    by: str | None = None
    n: int
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None
    verdict: Verdict | None = None
    verified: bool = False
    reproduced: bool = False
    counts: bool = False
    outdated: bool = False
    comparable: bool = True
    judgement: Judgement | None = None
    deviations: tuple[Deviation, ...] = ()

    def json(self) -> dict[str, Any]:
        """What JSON and CSV show; other programs rely on these names."""
        return {key: getattr(self, key) for key in KEYS}

    @property
    def tested(self) -> bool:
        """Whether the verdict rests on a statistical test."""
        return self.judgement is not None and self.judgement.p_matches is not None


KEYS = tuple(field.name for field in fields(Row))[:-5]


def rows(recipes: Iterable[Recipe], store: Store) -> list[Row]:
    """One row per expected number of each recipe; for a recipe that expects none, per measured metric."""
    return [row for recipe in recipes for row in _rows_of(recipe, store)]


def _rows_of(recipe: Recipe, store: Store) -> Iterator[Row]:
    records, now = store.of(recipe.id), version(recipe)
    runs = current(records, now)
    outdated = not runs
    runs = runs or of_hash(records, now)
    met = (d for run in runs for d in run.deviations)
    deviations = tuple(dict.fromkeys([*recipe.deviations, *met]))
    for expected in recipe.expected:
        judgement = judge(expected, records, now)
        claim = _claim(recipe, expected, judgement, deviations)
        yield _row(recipe, expected.metric, judgement, deviations=deviations, judgement=judgement, **claim)
    if not recipe.expected:
        for metric in sorted({metric for run in runs for metric in run.metrics}):
            values = [run.metrics[metric] for run in runs if metric in run.metrics]
            facts = {"outdated": outdated, "comparable": all(run.comparable for run in runs)}
            yield _row(recipe, metric, sample(values), deviations=deviations, **facts)


def _row(recipe: Recipe, metric: str, measured: Sample, **rest: Any) -> Row:
    numbers = {field.name: getattr(measured, field.name) for field in fields(Sample)}
    return Row(recipe=recipe.id, paper=recipe.paper, tier=recipe.tier, metric=metric, **numbers, **rest)


def _claim(
    recipe: Recipe, expected: Expected, judgement: Judgement, deviations: Iterable[Deviation]
) -> dict[str, Any]:
    verified = expected.source.evidence != "memory"
    of = expected.source.of or (OWN if recipe.claim == "paper" else recipe.claim)
    counts = verified and of == OWN and expected.what != "theory"
    sound = counts and not any(d.disqualifies for d in deviations)
    return {
        "expected": expected.target,
        "unit": expected.unit,
        "delta": expected.delta,
        "relation": expected.relation,
        "evidence": expected.source.evidence,
        "kind": expected.what,
        "of": of,
        "role": expected.role,
        "by": expected.by or by_stage(recipe, expected.metric),
        "verdict": judgement.verdict,
        "verified": verified,
        "counts": counts,
        "reproduced": judgement.verdict == "matches" and sound,
    }


def by_stage(recipe: Recipe, metric: str) -> By:
    """Whether the metric's stage, or one that it builds on, trains a network."""
    waiting = [metric.split(".")[0]]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        stage = recipe.stages[name]
        if stage.trains:
            return "training"
        waiting += [earlier for one in references(stage) for earlier in one.stages(recipe.stages)]
    return "computation"
