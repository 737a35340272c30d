"""The generated page of results, results/README.md: the table, and how much of the reading list it covers."""

from __future__ import annotations

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


def all_rows(tier: str | None = None) -> list[Row]:
    """The rows of every recipe (of one tier)."""
    recipes = [r for r in map(load, ids()) if tier in (None, r.tier)]
    return rows([(r, recipe_hash(r)) for r in recipes], Store(paths.results_dir()))


def page() -> str:
    """The page's text."""
    found = all_rows()
    parts = (INTRODUCTION, render(found, "md"), "## Coverage of the reading list", coverage_markdown(found))
    return "\n\n".join(parts) + "\n"
