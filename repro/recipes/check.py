"""Everything that can be wrong with recipe and paper files, found without running anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from repro.data.declare import names as dataset_names
from repro.errors import UserError, suggestion
from repro.papers.load import paper, slugs
from repro.papers.tie import problems as untied
from repro.recipes.load import ids, lineage, load
from repro.recipes.problems import InvalidFile, locate
from repro.recipes.schema import Recipe


def check_recipes(recipe_ids: Sequence[str] | None = None) -> Iterator[str]:
    """The problems of these recipes (default: all), each as `file:line: key: message`."""
    for recipe_id in recipe_ids or ids():
        try:
            recipe = load(recipe_id)
        except InvalidFile as error:
            yield from map(str, error.problems)
        except UserError as error:
            yield str(error)
        else:
            yield from _references(recipe, [path for path, _ in lineage(recipe_id)])


def check_papers(only: Sequence[str] | None = None) -> Iterator[str]:
    """The problems of these paper files (default: all)."""
    for slug in only or slugs():
        try:
            paper(slug)
        except InvalidFile as error:
            yield from map(str, error.problems)
        except UserError as error:
            yield str(error)


def _references(recipe: Recipe, files: Sequence[Path]) -> Iterator[str]:
    """What a valid recipe refers to must exist: its data set, its paper, the paper's numbers."""
    if recipe.dataset and recipe.dataset not in dataset_names():
        near = suggestion(recipe.dataset, dataset_names())
        yield str(locate(("dataset",), f"no data set `{recipe.dataset}`{near}", files))
    if recipe.paper not in slugs():
        near = suggestion(recipe.paper, slugs()) or "; `repro new` writes a paper file"
        yield str(locate(("paper",), f"no paper `{recipe.paper}`{near}", files))
        return
    try:
        reported = paper(recipe.paper)
    except UserError:
        return  # told with the papers
    for message in untied(recipe, reported):
        yield str(locate(("expected",), message, files))
