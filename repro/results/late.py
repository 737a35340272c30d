"""Expectations that are younger than the first record of their recipe: they were fixed when a result was known."""

from __future__ import annotations

import json
from collections.abc import Iterable

from repro.recipes.schema import Deviation, Expected, Recipe
from repro.results.store import Store

STATEMENT = ("metric", "value", "at_least", "at_most", "greater_than", "exact", "delta", "sd")


def late(recipe: Recipe, store: Store) -> list[str]:
    """The metrics whose expectation, margin or disqualification the recipe's first record does not yet bear."""
    records = store.of(recipe.id)
    if not records:
        return []
    first = min(records, key=lambda record: record.started).resolved
    known = {_statement(e) for e in first.get("expected", ())}
    found = [
        e.metric
        for e in recipe.expected
        if _statement(e.model_dump(mode="json", exclude_none=True)) not in known
    ]
    if _disqualifying(recipe.deviations) != _disqualifying(
        map(Deviation.model_validate, first.get("deviations", ()))
    ):
        found.append("deviations that disqualify")
    return list(dict.fromkeys(found))


def _statement(expected: dict[str, object]) -> str:
    """What is expected, without its prose."""
    default = {name: field.default for name, field in Expected.model_fields.items()}
    given = {name: expected[name] for name in STATEMENT if expected.get(name, default[name]) != default[name]}
    return json.dumps(given, sort_keys=True)


def _disqualifying(deviations: Iterable[Deviation]) -> set[str]:
    return {d.what for d in deviations if d.disqualifies}
