"""From a file to a recipe: inherited, overridden, validated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError

from repro.errors import UserError, readable
from repro.files import digest
from repro.recipes.consistency import contradictions
from repro.recipes.find import file_of, files, ids, unusable
from repro.recipes.inherit import NOT_INHERITED, merged
from repro.recipes.override import overridden
from repro.recipes.problems import InvalidFile, Problem, locate, problems_of
from repro.recipes.schema import Recipe

__all__ = ["every", "examined", "file_of", "files", "ids", "load", "recipe_hash", "valid"]

# What affects the numbers, and so the hash; the rest of a recipe is prose or expectation.
HASHED = ("dataset", "precision", "stages")


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


def every(overrides: Sequence[str] = ()) -> tuple[list[Recipe], list[UserError]]:
    """All valid recipes, by id; and what is wrong with each of the others."""
    found, wrong = valid(ids(), overrides)
    return found, [*unusable().values(), *wrong]


def valid(recipe_ids: Iterable[str], overrides: Sequence[str] = ()) -> tuple[list[Recipe], list[UserError]]:
    """Those of the recipes that are valid; and what is wrong with each of the others."""
    return readable(lambda recipe_id: load(recipe_id, overrides), recipe_ids)


def recipe_hash(recipe: Recipe) -> str:
    """SHA-256 of everything that affects the numbers, defaults included.

    Values that are None do not count, so that a new option that defaults to None leaves old records valid.
    """
    facts = recipe.model_dump(mode="json", exclude_none=True, include=set(HASHED))
    return digest(facts)


def _without_removed(values: dict[str, Any]) -> dict[str, Any]:
    """The values without the stages that a null has taken away."""
    stages = values.get("stages")
    if not isinstance(stages, dict):
        return values
    return {**values, "stages": {name: stage for name, stage in stages.items() if stage is not None}}
