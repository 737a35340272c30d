"""How long a run may take, and how to try it smaller: said before it starts."""

from __future__ import annotations

from typing import Any

from repro.errors import readable
from repro.recipes.listing import summary
from repro.recipes.load import ids
from repro.recipes.schema import Recipe
from repro.results.formats import duration

LONG = 30.0  # minutes


def outlook(recipe: Recipe, runs: int, device: str) -> str | None:
    """A line on what to expect of `runs` runs on a `cpu` or `cuda` device; None where it is soon over."""
    total = recipe.minutes and runs * recipe.minutes
    time = f"about {duration(total)} in all on such hardware, says the recipe" if total else ""
    if recipe.tier == "cpu" or device != "cpu":
        return f"  {time[0].upper()}{time[1:]}.{_smaller(recipe)}" if total and total > LONG else None
    kind = {"gpu": "a GPU", "cluster": "several GPUs"}[recipe.tier]
    time = f" ({time})" if time else ""
    return f"  This recipe is for {kind}{time}; on this processor it takes days to weeks.{_smaller(recipe)}"


def _smaller(recipe: Recipe) -> str:
    """How to try the same thing in less time; with a CPU recipe of the same method, if there is one."""
    methods = {stage.method.name for stage in recipe.stages.values() if hasattr(stage, "method")}
    alike = [row for row in _cpu_recipes() if row["id"] != recipe.id and methods & set(row["methods"])]
    if not alike:
        return " Try --smoke (seconds) or --budget 10m."
    quickest = min(alike, key=lambda row: (row["minutes"] or LONG, row["id"]))
    return f" Try --smoke (seconds), --budget 10m, or the CPU recipe `{quickest['id']}`."


def _cpu_recipes() -> list[dict[str, Any]]:
    found, _ = readable(summary, ids())  # a broken file is another matter
    return [row for row in found if row["tier"] == "cpu"]
