"""From a file to a recipe: inherit, override, validate."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from repro.cache import Remembered
from repro.errors import UserError, suggestion
from repro.recipes import yaml
from repro.recipes.consistency import contradictions
from repro.recipes.find import file_of, files, ids, unusable
from repro.recipes.merge import merge
from repro.recipes.override import overridden
from repro.recipes.problems import InvalidFile, Problem, locate, problems_of
from repro.recipes.schema import Recipe

__all__ = [
    "every",
    "examined",
    "file_of",
    "files",
    "ids",
    "lineage",
    "load",
    "merge",
    "merged",
    "recipe_hash",
]

# A child states its own claim: these keys of the recipe it extends do not pass on.
NOT_INHERITED = ("title", "claim", "expected", "minutes", "notes")
# What affects the numbers, and so the hash; the rest of a recipe is prose or expectation.
HASHED = ("dataset", "precision", "stages")
_read = Remembered("recipes", yaml.read)


def lineage(recipe_id: str) -> list[tuple[Path, dict[str, Any]]]:
    """The recipe's file and those it extends, nearest first, as they stand. Raises UserError for a cycle."""
    chain: list[tuple[Path, dict[str, Any]]] = []
    names: list[str] = []
    parent: Any = recipe_id
    while parent is not None:
        if names and (not isinstance(parent, str) or parent not in files()):
            near = suggestion(str(parent), files())
            raise InvalidFile([locate(("extends",), f"no recipe `{parent!s:.100}`{near}", [chain[-1][0]])])
        if parent in names:
            loop = " → ".join([*names, parent])
            raise InvalidFile([locate(("extends",), f"the recipe extends itself ({loop})", [chain[-1][0]])])
        names.append(parent)
        path = file_of(parent)
        chain.append((path, _read(path)))
        parent = chain[-1][1].get("extends")
    return chain


def merged(recipe_id: str) -> tuple[dict[str, Any], list[Path]]:
    """The recipe as a mapping, with what it inherits, not yet validated; and the files it came from."""
    chain = lineage(recipe_id)
    result: dict[str, Any] = {}
    for depth, (path, values) in reversed(list(enumerate(chain))):
        if stated := [key for key in ("id", "family") if key in values]:
            message = "comes from the file's place, `recipes/<family>/<id>.yaml`; leave it out"
            raise InvalidFile([locate((key,), message, [path]) for key in stated])
        dropped = ("extends",) if depth == 0 else ("extends", *NOT_INHERITED)
        result = merge(result, {k: v for k, v in values.items() if k not in dropped})
    path = chain[0][0]
    return {"id": path.stem, "family": path.parent.name, **result}, [p for p, _ in chain]


def load(recipe_id: str, overrides: Sequence[str] = ()) -> Recipe:
    """The validated recipe, whose parts fit together. `overrides` are `path.to.key=value` with a YAML value.

    Raises InvalidFile with every problem of the file, or UserError for a bad override.
    """
    recipe, problems = examined(recipe_id, overrides)
    if recipe and not problems:
        return recipe
    if overrides and valid([recipe_id])[0]:
        raise UserError("\n".join(f"With these overrides, {problem.told}" for problem in problems))
    raise InvalidFile(problems)


def examined(recipe_id: str, overrides: Sequence[str] = ()) -> tuple[Recipe | None, list[Problem]]:
    """The recipe, or None where it is not even valid by itself; and its problems.

    Raises UserError where the file cannot be read, or for an override that does not fit.
    """
    values, sources = merged(recipe_id)
    for override in overrides:
        values = overridden(values, override)
    try:
        recipe = Recipe.model_validate(_without_removed(values))
    except ValidationError as error:
        return None, problems_of(error, sources, own=NOT_INHERITED)
    return recipe, [locate(loc, message, sources) for loc, message in contradictions(recipe)]


def every() -> tuple[list[Recipe], list[UserError]]:
    """All valid recipes, by id; and what is wrong with each of the others."""
    found, wrong = valid(ids())
    return found, [*unusable().values(), *wrong]


def valid(recipe_ids: Iterable[str]) -> tuple[list[Recipe], list[UserError]]:
    """Those of the recipes that are valid; and what is wrong with each of the others."""
    found, wrong = [], []
    for recipe_id in recipe_ids:
        try:
            found.append(load(recipe_id))
        except UserError as error:
            wrong.append(error)
    return found, wrong


def recipe_hash(recipe: Recipe) -> str:
    """SHA-256 of everything that affects the numbers, defaults included.

    Values that are None do not count, so that a new option that defaults to None leaves old records valid.
    """
    facts = recipe.model_dump(mode="json", exclude_none=True, include=set(HASHED))
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _without_removed(values: dict[str, Any]) -> dict[str, Any]:
    """The values without the stages that a null has taken away."""
    stages = values.get("stages")
    if not isinstance(stages, dict):
        return values
    return {**values, "stages": {name: stage for name, stage in stages.items() if stage is not None}}
