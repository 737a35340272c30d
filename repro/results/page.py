"""The generated page of results, results/README.md: the table, and how much of the reading list it covers."""

from __future__ import annotations

from collections.abc import Collection

from repro import paths
from repro.papers.coverage import markdown as coverage_markdown
from repro.recipes.load import ids, load, recipe_hash
from repro.results.store import Store
from repro.results.table import Row, render, rows

INTRODUCTION = """\
# Results

Written by `make table` from the records in this folder, and from nothing else. Every record is one run of one
recipe with one seed; `measured` is the mean ± standard deviation over the seeds (their number). A verdict is an
equivalence test with the recipe's margin; evidence with a `?` is recalled and unchecked, and never counts."""


def all_rows(metrics: Collection[str] = (), **wanted: str | None) -> list[Row]:
    """The rows of the recipes whose fields (tier, family, dataset, paper) are as wanted, where that is given.

    `metrics` are whole names, or the part after the stage: `top1` for `knn.top1` and `probe.top1`.
    """
    given = {field: value for field, value in wanted.items() if value}
    recipes = [r for r in map(load, ids()) if all(getattr(r, f) == value for f, value in given.items())]
    found = rows([(r, recipe_hash(r)) for r in recipes], Store(paths.results_dir()))
    return [r for r in found if not metrics or {r.metric, r.metric.split(".")[1]} & {*metrics}]


def page() -> str:
    """The page's text."""
    found = all_rows()
    parts = (INTRODUCTION, render(found, "md"), "## Coverage of the reading list", coverage_markdown(found))
    return "\n\n".join(parts) + "\n"
