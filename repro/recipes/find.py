"""Which recipes there are: the files `recipes/<family>/<id>.yaml`, the project's own and those that came along.

The name of a file is the id of the recipe.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from repro import paths
from repro.errors import UserError, suggestion
from repro.files import by_name, only
from repro.names import HYPHENATED, hyphenated


@cache
def files() -> dict[str, Path]:
    """Recipe id -> file, without those of `unusable`."""
    return {name: found[0] for name, found in _candidates().items() if not _fault(name, found)}


def ids() -> Iterable[str]:
    return sorted(files())


def file_of(recipe_id: str) -> Path:
    """The recipe's file. Raises UserError, naming the nearest id, when there is none, or more than one."""
    if recipe_id in files():
        return files()[recipe_id]
    if recipe_id in (faults := unusable()):
        raise faults[recipe_id]
    hint = suggestion(recipe_id, files()) or "; `repro list` shows all"
    raise UserError(f"No recipe `{recipe_id:.100}`{hint}")


def unusable() -> dict[str, UserError]:
    """File name (without `.yaml`) -> what is wrong, for files that cannot be recipes because of their names."""
    return {name: UserError(fault) for name, found in _candidates().items() if (fault := _fault(name, found))}


def _candidates() -> dict[str, list[Path]]:
    return by_name(paths.folders("recipes"), "*/*.yaml")


def _fault(name: str, found: list[Path]) -> str | None:
    if not hyphenated(name):
        return f"{found[0]}: `{name}` is not usable as a recipe's name ({HYPHENATED}); rename the file."
    try:
        only("recipe", found)
    except UserError as error:
        return str(error)
    return None
