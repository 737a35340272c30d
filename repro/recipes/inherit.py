"""A recipe's values with what it inherits by `extends`, not yet validated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from repro.cache import Remembered
from repro.errors import suggestion
from repro.recipes import yaml
from repro.recipes.find import file_of, files
from repro.recipes.merge import merge
from repro.recipes.problems import InvalidFile, locate

# A child states its own claim: these keys of the recipe it extends do not pass on.
NOT_INHERITED = ("title", "claim", "expected", "minutes", "notes")
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
        own = {k: v for k, v in values.items() if k not in dropped}
        if own.get("deviations"):
            own["deviations"] = _deviations(own["deviations"], result.get("deviations"))
        result = merge(result, own)
    path = chain[0][0]
    return {"id": path.stem, "family": path.parent.name, **result}, [p for p, _ in chain]


def _deviations(own: Any, inherited: Any) -> Any:
    """A recipe's `own` deviations and, after them, those `inherited` that it does not name by their `what`.

    One that it does name keeps what is not said anew, and goes where `here` is null; an empty list drops all.
    Values of another form are left for the schema to complain about.
    """
    inherited = inherited or []
    if not all(
        isinstance(part, list)
        and all(isinstance(d, dict) and isinstance(d.get("what", ""), str) for d in part)
        for part in (own, inherited)
    ):
        return own
    known, named = {d.get("what"): d for d in inherited}, {d.get("what") for d in own}
    found = [merge(known.get(d.get("what"), {}), d) for d in own]
    return [d for d in found if d.get("here", "") is not None] + [
        d for d in inherited if d.get("what") not in named
    ]
