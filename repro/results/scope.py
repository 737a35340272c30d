"""What the results in a folder are about: a project's own recipes and, of those that came along, those run there."""

from __future__ import annotations

from collections.abc import Sequence

from repro import paths
from repro.papers import load as papers
from repro.papers.standing import Standing
from repro.recipes.find import file_of, ids
from repro.results.store import Store


def recipes(store: Store) -> list[str]:
    """The ids of the project's recipes, and of the others that have records in the store; sorted."""
    return [recipe for recipe in ids() if paths.ours(file_of(recipe)) or store.has(recipe)]


def concerned(standings: Sequence[Standing], store: Store) -> list[Standing]:
    """Of these papers, those that are the project's own, or that one of these recipes is of."""
    ran = {*recipes(store)}
    return [s for s in standings if paths.ours(papers.file_of(s.paper.slug)) or ran & {*s.recipes}]
