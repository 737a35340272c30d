"""Recipes with fewer of their rounds: what speaks of the others goes with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from repro.recipes.unroll import Values, unrolled


def limited(values: Values, most: int) -> Values:
    """The values with at most so many rounds. What names a stage of a later round means that of the last one.

    What the recipe expects of later rounds, and changes in them, is dropped.
    """
    made, stages = unrolled(values).made, dict(values["stages"])
    fewer = {name: min(most, stages[name]["count"]) for name in {one.rounds for one in made.values()}}
    gone = {
        name: one.within(fewer[one.rounds]).name
        for name, one in made.items()
        if one.number >= fewer[one.rounds]
    }
    for name, count in fewer.items():
        stages[name] = {**stages[name], "count": count}
    stages = {name: _renamed(stage, gone) for name, stage in stages.items()}
    return forgetting({**values, "stages": stages}, gone)


def forgetting(values: Values, gone: Collection[str]) -> Values:
    """The values without what is changed in stages of rounds that are gone, and what is expected of them."""
    if not gone:
        return values
    expected = values.get("expected")
    kept = {name: stage for name, stage in values["stages"].items() if name not in gone}
    if isinstance(expected, list):
        expected = [one for one in expected if not _expects(one, gone)]
    return {**values, "stages": kept, **({} if expected is None else {"expected": expected})}


def _expects(one: Any, gone: Collection[str]) -> bool:
    named = [one.get(key) for key in ("metric", "greater_than")] if isinstance(one, dict) else []
    return any(isinstance(name, str) and name.partition(".")[0] in gone for name in named)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """The value with other names in the place of these stages', also in those of metrics."""
    if isinstance(value, dict):
        return {key: _renamed(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, names) for inner in value]
    if isinstance(value, str):
        stage, dot, metric = value.partition(".")
        return f"{names.get(stage, stage)}{dot}{metric}"
    return value
