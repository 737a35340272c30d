"""Named augmentation policies: `<name>.yaml` in this folder, or in a project's `components/views/policies/`, holds
values for `repro.options.Views`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from pydantic_core import PydanticCustomError

from repro import modules
from repro.errors import UserError, suggestion
from repro.files import by_name, only
from repro.recipes.yaml import read

FOLDER = Path(__file__).parent
NOT_OF_ONE_VIEW = ("policy", "count", "each", "local")


def names() -> list[str]:
    """The names of all policies, sorted."""
    return list(files())


def completed(value: Any) -> Any:
    """What a recipe says under `views:` with the named policy filled in, as values for `Views`.

    The recipe's own values go before the policy's; a mapping is merged into the policy's mapping, and null
    switches an operation off. Each entry of `each` is completed by what holds for all views. Raises pydantic's
    errors; what is not a mapping is returned for pydantic to judge.
    """
    if not isinstance(value, dict):
        return value
    name = value.get("policy")
    merged = _merged(_policy(name) if isinstance(name, str) else {}, value)
    for_all = {key: given for key, given in merged.items() if given is not None}
    if isinstance(each := for_all.get("each"), list) and all(isinstance(one, dict) for one in each):
        shared = {key: given for key, given in for_all.items() if key not in NOT_OF_ONE_VIEW}
        for_all["each"] = [completed(_merged(shared, one)) for one in each]
    if isinstance(local := for_all.get("local"), dict):
        for_all["local"] = completed(local)
    return for_all


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over`, mappings merged key by key."""
    return base | {
        key: {**base[key], **given} if isinstance(given, dict) and isinstance(base.get(key), dict) else given
        for key, given in over.items()
    }


def files() -> dict[str, list[Path]]:
    """Name -> the files of the policies of that name: this folder's, the project's, installed packages'."""
    return by_name([*modules.beside("views/policies"), FOLDER], "*.yaml")


def _policy(name: str) -> dict[str, Any]:
    found = files()
    if name not in found:
        near = suggestion(name, found)
        raise PydanticCustomError(
            "unknown_policy", "No views policy is called `{name}`{near}", {"name": name[:100], "near": near}
        )
    try:
        path = only("views policy", found[name])
    except UserError as error:
        raise PydanticCustomError("unusable_policy", "{message}", {"message": str(error)}) from None
    return _read(path)


@cache
def _read(path: Path) -> dict[str, Any]:
    return read(path)
