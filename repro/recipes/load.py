"""From a file to a recipe: find it, inherit, override, validate."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml as pyyaml
from pydantic import ValidationError

from repro import paths
from repro.cache import Remembered
from repro.errors import UserError, suggestion
from repro.recipes import yaml
from repro.recipes.problems import InvalidFile, locate, problems_of
from repro.recipes.schema import Recipe

# A child states its own claim: these keys of the recipe it extends do not pass on.
NOT_INHERITED = ("title", "claim", "expected", "minutes", "notes")
# What affects the numbers, and so the hash; the rest of a recipe is prose or expectation.
HASHED = ("dataset", "precision", "stages")
_read = Remembered("recipes", yaml.read)


@cache
def files() -> dict[str, Path]:
    """Recipe id -> file. Raises UserError when two files have the same name."""
    found: dict[str, Path] = {}
    for path in sorted(paths.recipes_dir().glob("*/*.yaml")):
        if path.stem in found:
            raise UserError(
                f"Two recipes are called `{path.stem}`: {found[path.stem]} and {path}; rename one."
            )
        found[path.stem] = path
    return found


def file_of(recipe_id: str) -> Path:
    """The recipe's file. Raises UserError, naming the nearest id, when there is none."""
    if recipe_id not in files():
        hint = suggestion(recipe_id, files()) or "; `repro list` shows all"
        raise UserError(f"No recipe `{recipe_id}`{hint}")
    return files()[recipe_id]


def lineage(recipe_id: str) -> list[tuple[Path, dict[str, Any]]]:
    """The recipe's file and those it extends, nearest first, as they stand. Raises UserError for a cycle."""
    chain: list[tuple[Path, dict[str, Any]]] = []
    names: list[str] = []
    parent: Any = recipe_id
    while parent is not None:
        if names and (not isinstance(parent, str) or parent not in files()):
            near = suggestion(str(parent), files())
            raise InvalidFile([locate(("extends",), f"no recipe `{parent}`{near}", [chain[-1][0]])])
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
    for depth, (_, values) in reversed(list(enumerate(chain))):
        dropped = ("extends",) if depth == 0 else ("extends", *NOT_INHERITED)
        own = {k: v for k, v in values.items() if k not in dropped}
        if own.get("deviations"):
            own["deviations"] = _deviations(own["deviations"], result.get("deviations"))
        result = merge(result, own)
    path = chain[0][0]
    return {"id": path.stem, "family": path.parent.name, **result}, [p for p, _ in chain]


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over`. Mappings merge key by key, except where `over` chooses another
    component (`name` or `kind`), whose options are its own; lists replace; a null switches off."""
    if any(key in over and over[key] != base.get(key) for key in ("name", "kind")):
        base = {}
    result = dict(base)
    for key, value in over.items():
        if isinstance(value, dict):
            inherited = result.get(key)
            result[key] = merge(inherited if isinstance(inherited, dict) else {}, value)
        else:
            result[key] = value
    return result


def _deviations(own: Any, inherited: Any) -> Any:
    """A recipe's `own` deviations and, after them, those `inherited` that it does not name by their `what`.

    One that it does name keeps what is not said anew, and goes where `here` is null; an empty list drops all.
    Values of another form are left for the schema to complain about.
    """
    inherited = inherited or []
    if not all(
        isinstance(part, list) and all(isinstance(d, dict) for d in part) for part in (own, inherited)
    ):
        return own
    known, named = {d.get("what"): d for d in inherited}, {d.get("what") for d in own}
    found = [merge(known.get(d.get("what"), {}), d) for d in own]
    return [d for d in found if d.get("here", "") is not None] + [
        d for d in inherited if d.get("what") not in named
    ]


def load(recipe_id: str, overrides: Sequence[str] = ()) -> Recipe:
    """The validated recipe. `overrides` are `path.to.key=value` with a YAML value.

    Raises InvalidFile with every problem of the file, or UserError for a bad override.
    """
    values, sources = merged(recipe_id)
    for override in overrides:
        values = _overridden(values, override)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        if overrides and _valid(recipe_id):
            raise UserError("\n".join(f"{p.key}: {p.message}" for p in problems_of(error, sources))) from None
        raise InvalidFile(problems_of(error, sources)) from None


def recipe_hash(recipe: Recipe) -> str:
    """SHA-256 of everything that affects the numbers, defaults included.

    Values that are None do not count, so that a new option that defaults to None leaves old records valid.
    """
    facts = recipe.model_dump(mode="json", exclude_none=True, include=set(HASHED))
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def ids() -> Iterable[str]:
    return sorted(files())


def _overridden(values: dict[str, Any], override: str) -> dict[str, Any]:
    path, equals, text = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise UserError(f"Override `{override}` is not of the form path.to.key=value.")
    try:
        value = yaml.parse(text)
    except pyyaml.YAMLError:
        raise UserError(f"Override `{override}`: the value is not valid YAML.") from None
    _check_path(values, keys, override)
    for key in reversed(keys):
        value = {key: value}
    return merge(values, value)


def _check_path(values: Any, keys: Sequence[str], override: str) -> None:
    for depth, key in enumerate(keys[:-1]):
        if not isinstance(values, dict) or (depth < 2 and key not in values):
            known = values if isinstance(values, dict) else ()
            raise UserError(
                f"Override `{override}`: the recipe has no `{key}` there{suggestion(key, known)}."
            )
        values = values.get(key, {})
    if not isinstance(values, dict):
        raise UserError(f"Override `{override}`: `{keys[-2]}` is a single value and has no keys.")


def _valid(recipe_id: str) -> bool:
    try:
        load(recipe_id)
    except UserError:
        return False
    return True
