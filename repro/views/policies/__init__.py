"""Named augmentation policies: `<name>.yaml` in this folder holds values for `repro.options.Views`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from pydantic_core import PydanticCustomError

from repro.errors import suggestion
from repro.options import Views
from repro.recipes.yaml import read

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The names of all policies, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def expand(value: Any) -> Any:
    """What a recipe says under `views:` with the named policy filled in, as `Views`.

    The recipe's own values go before the policy's; a mapping is merged into the policy's mapping, and null
    switches an operation off. Raises pydantic's errors; what is not a mapping is returned for pydantic to judge.
    """
    if not isinstance(value, dict):
        return value
    name = value.get("policy")
    merged = {**_policy(name)} if isinstance(name, str) else {}
    for key, given in value.items():
        standing = merged.get(key)
        if isinstance(given, dict) and isinstance(standing, dict):
            given = {**standing, **given}
        merged[key] = given
    return Views.model_validate({key: given for key, given in merged.items() if given is not None})


@cache
def _policy(name: str) -> dict[str, Any]:
    if name not in names():
        near = suggestion(name, names())
        raise PydanticCustomError(
            "unknown_policy", "No views policy is called `{name}`{near}", {"name": name, "near": near}
        )
    return read(FOLDER / f"{name}.yaml")
