"""Where each paper stands in this project: computed from its file, its recipes and their records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, get_args

from repro import paths
from repro.errors import UserError, readable
from repro.papers.load import every
from repro.papers.schema import Paper
from repro.recipes.find import unusable
from repro.recipes.listing import summary
from repro.recipes.load import ids, valid
from repro.recipes.schema import Recipe
from repro.results.rows import Row, rows
from repro.results.store import Store
from repro.results.summary import OUTCOMES

Status = Literal[
    "reproduced", "partly reproduced", "theory checked", "tried", "runnable", "planned", "out of reach"
]
STATUSES: tuple[Status, ...] = get_args(Status)

_REASONS = {"none": "nothing numeric", "closed": "closed data", "cluster": "cluster"}  # by tier


@dataclass(frozen=True)
class Standing:
    """A paper, the ids of its recipes, how far it is reproduced, and why it is out of reach if it is.

    `reproduced`: at least one number, or all the directions on file for it, of the paper's own claims are met without
    disqualifying deviations, and none of its recorded numbers differs; `partly reproduced`: some are and some are
    not, or only baselines are; `theory checked`: only what is derived matches; `tried`: recipes ran, and nothing of
    the paper's own is met; `runnable`: there is a recipe; `planned`: nothing is in the way of one; `out of reach`:
    none is planned, and the paper has no numbers, its data are closed or it takes a cluster.
    """

    paper: Paper
    recipes: tuple[str, ...]
    status: Status
    reason: str | None = None


def standing(paper: Paper, recipes: Sequence[str], results: Iterable[Row]) -> Standing:
    """Where the paper stands, from the ids of its recipes and the rows of results (also those of others)."""
    reason = None
    status = _shown([row for row in results if row.paper == paper.slug])
    if status is None and recipes:
        status = "runnable"
    elif status is None:
        reason = None if paper.recipes else _REASONS.get(paper.tier)
        status = "out of reach" if reason else "planned"
    return Standing(paper, tuple(recipes), status, reason)


def _shown(rows: Sequence[Row]) -> Status | None:
    """What the runs of a paper's recipes show of it; None when none ran."""
    own = [row for row in rows if row.counts]
    met = [row for row in own if row.reproduced]
    if any(row.role == "claim" for row in met) and not _fails(own):
        return "reproduced"
    if met:
        return "partly reproduced"
    if any(row.kind == "theory" and row.verdict == "matches" for row in rows):
        return "theory checked"
    ran = (row.verdict in (*OUTCOMES, "stale?") or (row.verdict is None and row.n) for row in rows)
    return "tried" if any(ran) else None


def _fails(own: Sequence[Row]) -> bool:
    """Whether a recorded result differs, or no claimed number is met and not all directions are."""
    if any(row.verdict == "differs" for row in own):
        return True
    if any(row.reproduced and row.role == "claim" and row.kind == "number" for row in own):
        return False
    return not all(row.reproduced for row in own if row.kind == "direction")


def survey(results: Sequence[Row] | None = None) -> tuple[list[Standing], list[UserError]]:
    """Where every paper stands; and what is wrong with the recipe and paper files that were left out.

    `results` are the rows of results of all recipes, read here when they are not given.
    """
    recipes, invalid = _recipes_by_paper()
    run, broken = valid(_with_records(chain.from_iterable(recipes.values())))
    found = _results(run) if results is None else results
    papers, unread = every()
    standings = [standing(paper, recipes.get(paper.slug, ()), found) for paper in papers]
    return standings, [*invalid, *broken, *unread]


def recipes_of(slug: str) -> list[str]:
    """The ids of the paper's recipes."""
    return _recipes_by_paper()[0].get(slug, [])


def recorded(recipes: Iterable[str]) -> list[Row]:
    """The rows of results of those recipes that have been run; to judge the others would take time for nothing."""
    return _results(valid(_with_records(recipes))[0])


def _with_records(recipes: Iterable[str]) -> list[str]:
    return [*filter(Store(paths.results_dir()).has, recipes)]


def _results(recipes: Sequence[Recipe]) -> list[Row]:
    return rows(recipes, Store(paths.results_dir()))


def _recipes_by_paper() -> tuple[dict[str, list[str]], list[UserError]]:
    recipes: dict[str, list[str]] = {}
    found, broken = readable(summary, ids())
    for recipe in found:
        recipes.setdefault(str(recipe["paper"]), []).append(recipe["id"])
    return recipes, [*unusable().values(), *broken]
