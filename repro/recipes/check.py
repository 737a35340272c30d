"""Everything that can be wrong with the files of a project, found without running anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from repro import components, paths
from repro.data import declare
from repro.errors import UserError, suggestion
from repro.files import only
from repro.options.views import expand
from repro.papers.load import files as papers
from repro.papers.load import paper, slugs
from repro.papers.tie import problems as untied
from repro.recipes import yaml
from repro.recipes.find import files, unusable
from repro.recipes.inherit import lineage
from repro.recipes.load import examined
from repro.recipes.problems import InvalidFile, locate, problems_of
from repro.recipes.schema import Recipe
from repro.views import policies


def check_all() -> Iterator[str]:
    """The problems of all that is `reviewed`, and of all components, each as `file:line: key: message`."""
    yield from map(str, unusable().values())
    known = reviewed()
    yield from check_recipes(known["recipes"])
    yield from check_papers(known["papers"])
    yield from _told(declare.declaration, known["data sets"])
    yield from _told(_policy, known["policies"])
    yield from components.faults()


def check_recipes(recipe_ids: Iterable[str]) -> Iterator[str]:
    """The problems of these recipes."""
    told: set[str] = set()
    for recipe_id in recipe_ids:
        for problem in _told(_recipe, [recipe_id]):
            if problem not in told:  # a child has those of its parent
                yield problem
            told.add(problem)


def check_papers(slugs: Iterable[str]) -> Iterator[str]:
    """The problems of these paper files."""
    return _told(paper, slugs)


def reviewed() -> dict[str, list[str]]:
    """Names of the recipes, papers, data sets and policies to be checked: a project's own, elsewhere all."""
    apart = paths.project() is not None and paths.bundled() is not None
    kinds: dict[str, Mapping[str, Iterable[Path]]] = {
        "recipes": {name: [path] for name, path in files().items()},
        "papers": papers(),
        "data sets": declare.files(),
        "policies": policies.files(),
    }
    return {
        kind: [name for name, found in known.items() if not apart or any(map(paths.ours, found))]
        for kind, known in kinds.items()
    }


def _told(read: Callable[[str], Any], names: Iterable[str]) -> Iterator[str]:
    """What reading each of these complains of."""
    for name in names:
        try:
            read(name)
        except InvalidFile as error:
            yield from map(str, error.problems)
        except UserError as error:
            yield str(error)


def _recipe(recipe_id: str) -> None:
    recipe, problems = examined(recipe_id)
    sources = [path for path, _ in lineage(recipe_id)]
    for key, message in _of_the_paper(recipe) if recipe else ():
        problems.append(locate((key,), message, sources))
    if problems:
        raise InvalidFile(problems)


def _of_the_paper(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """What a recipe says of its paper must be so: that it is there, and reports these numbers."""
    if recipe.paper not in slugs():
        near = suggestion(recipe.paper, slugs()) or "; `repro new` writes a paper file"
        yield "paper", f"no paper `{recipe.paper}`{near}"
        return
    try:
        reported = paper(recipe.paper)
    except UserError:
        return  # told with the papers
    for message in untied(recipe, reported):
        yield "expected", message


def _policy(name: str) -> None:
    path = only("views policy", policies.files()[name])
    each = yaml.read(path).get("each")
    try:
        expand({"policy": name, "count": len(each) if isinstance(each, list) else 1})
    except ValidationError as error:
        raise InvalidFile(problems_of(error, [path])) from None
    except PydanticCustomError as error:
        raise UserError(f"{path}: {error}") from None
