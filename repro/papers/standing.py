"""Where each paper stands in this project: computed from its file, its recipes and their records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, get_args

from repro import paths
from repro.errors import UserError
from repro.papers.load import papers
from repro.papers.schema import Paper
from repro.recipes.find import unusable
from repro.recipes.listing import summary
from repro.recipes.load import ids, recipe_hash, valid
from repro.recipes.schema import Recipe
from repro.results.store import Store
from repro.results.table import Row, rows

Status = Literal["reproduced", "measured", "runnable", "planned", "out of reach"]
STATUSES: tuple[Status, ...] = get_args(Status)

_OUTCOMES = ("matches", "differs", "better", "undecided")  # verdicts on runs that can be compared
_REASONS = {"none": "nothing numeric", "closed": "closed data", "cluster": "cluster"}  # by tier


@dataclass(frozen=True)
class Standing:
    """A paper, the ids of its recipes, how far it is reproduced, and why it is out of reach if it is.

    `reproduced`: a claim of the paper was met (`reproduced` of `repro.results.table.Row`); `measured`: a recipe
    was run, with whatever outcome; `runnable`: there is a recipe; `planned`: nothing is in the way of one; `out
    of reach`: none is planned, and the paper has no numbers, its data are closed or it takes a cluster.
    """

    paper: Paper
    recipes: tuple[str, ...]
    status: Status
    reason: str | None = None


def standing(paper: Paper, recipes: Sequence[str], results: Iterable[Row]) -> Standing:
    """Where the paper stands, from the ids of its recipes and the rows of results (also those of others)."""
    own = [row for row in results if row.paper == paper.slug]
    reason = None
    if any(row.reproduced for row in own):
        status: Status = "reproduced"
    elif any(row.verdict in _OUTCOMES or (row.verdict is None and row.n) for row in own):
        status = "measured"
    elif recipes:
        status = "runnable"
    else:
        reason = None if paper.recipes else _REASONS.get(paper.tier)
        status = "out of reach" if reason else "planned"
    return Standing(paper, tuple(recipes), status, reason)


def survey(results: Sequence[Row] | None = None) -> tuple[list[Standing], list[UserError]]:
    """Where every paper stands; and what is wrong with the recipe and paper files that were left out.

    `results` are the rows of results of all recipes, read here when they are not given.
    """
    recipes, invalid = _recipes_by_paper()
    run, broken = valid(_with_records(chain.from_iterable(recipes.values())))
    invalid += broken
    found = _results(run) if results is None else results
    standings = []
    for paper in papers():
        if isinstance(paper, UserError):
            invalid.append(paper)
        else:
            standings.append(standing(paper, recipes.get(paper.slug, ()), found))
    return standings, invalid


def recipes_of(slug: str) -> list[str]:
    """The ids of the paper's recipes."""
    return _recipes_by_paper()[0].get(slug, [])


def recorded(recipes: Iterable[str]) -> list[Row]:
    """The rows of results of those recipes that have been run; to judge the others would take time for nothing."""
    return _results(valid(_with_records(recipes))[0])


def _with_records(recipes: Iterable[str]) -> list[str]:
    return [recipe for recipe in recipes if (paths.results_dir() / "records" / recipe).is_dir()]


def _results(recipes: Sequence[Recipe]) -> list[Row]:
    return rows([(recipe, recipe_hash(recipe)) for recipe in recipes], Store(paths.results_dir()))


def _recipes_by_paper() -> tuple[dict[str, list[str]], list[UserError]]:
    recipes: dict[str, list[str]] = {}
    invalid = [*unusable().values()]
    for recipe in ids():
        try:
            recipes.setdefault(str(summary(recipe)["paper"]), []).append(recipe)
        except UserError as error:
            invalid.append(error)
    return recipes, invalid
