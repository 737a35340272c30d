"""From a file to a recipe: inherited, overridden, validated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import ValidationError

from repro.errors import UserError, readable
from repro.files import digest
from repro.recipes.consistency import contradictions
from repro.recipes.fewer import forgetting, limited
from repro.recipes.find import file_of, files, ids, unusable
from repro.recipes.inherit import NOT_INHERITED, merged
from repro.recipes.override import overridden
from repro.recipes.problems import InvalidFile, Keys, Problem, locate, place, problems_of
from repro.recipes.schema import Recipe
from repro.recipes.unroll import unrolled

__all__ = [
    "every",
    "examined",
    "file_of",
    "files",
    "ids",
    "load",
    "recipe_hash",
    "valid",
    "with_fewer_rounds",
]

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
    before = unrolled(values).made
    for override in overrides:
        values = overridden(values, override)
    values = forgetting(values, before.keys() - unrolled(values).made.keys())
    plan = unrolled(values)
    try:
        plan.check()
        recipe = Recipe.model_validate(plan.values)
    except ValidationError as error:
        return None, problems_of(error, sources, own=NOT_INHERITED, places=plan.places)
    if plan.made:
        recipe._rolled = values
    found: dict[tuple[Keys, str], str] = {}
    for loc, message in contradictions(recipe):
        where = place(plan.places(loc), sources)
        found.setdefault((where, message if where == loc else ""), message)  # once for all rounds
    return recipe, [locate(where, message, sources) for (where, _), message in found.items()]


def with_fewer_rounds(recipe: Recipe, most: int) -> Recipe:
    """The recipe with at most so many of each of its rounds; itself when it has none."""
    if recipe._rolled is None:
        return recipe
    return Recipe.model_validate(unrolled(limited(recipe._rolled, most)).values)


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
