"""Values given on the command line: `-o path.to.key=value`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml as pyyaml

from repro.errors import UserError, suggestion
from repro.recipes import yaml
from repro.recipes.merge import merge
from repro.recipes.schema import Recipe
from repro.recipes.unroll import unrolled

# Under whose name a run is kept, and what it is held against, is not for a command to change.
OVERRIDABLE = ("stages", "dataset", "precision", "seeds", "minutes", "memory_gb")


def overridden(values: dict[str, Any], override: str) -> dict[str, Any]:
    """A recipe's values with the override `path.to.key=value`, the value in YAML. Raises UserError for a bad one."""
    path, equals, text = override.partition("=")
    keys = path.strip().split(".")
    shown = f"{override:.100}"
    if not equals or not all(keys) or len(keys) > yaml.DEEPEST:
        raise UserError(f"Override `{shown}` is not of the form path.to.key=value.")
    if keys[0] not in OVERRIDABLE:
        near = "" if keys[0] in ("extends", *Recipe.model_fields) else suggestion(keys[0], OVERRIDABLE)
        near = near or f"; those that can: {', '.join(OVERRIDABLE)}"
        raise UserError(f"Override `{shown}`: `{keys[0]:.100}` cannot be overridden{near}.")
    try:
        value = yaml.parse(text)
    except pyyaml.YAMLError as error:
        raise UserError(f"Override `{shown}`: the value is not valid YAML: {yaml.problem(error)}.") from None
    _check_path(_with_rounds(values), keys, shown)
    for key in reversed(keys):
        value = {key: value}
    return merge(values, value)


def _with_rounds(values: dict[str, Any]) -> dict[str, Any]:
    """The values with an entry for every stage that rounds give: one of them can be changed by its own name."""
    if made := unrolled(values).made:
        return {**values, "stages": {**dict.fromkeys(made), **values["stages"]}}
    return values


def _check_path(values: Any, keys: Sequence[str], override: str) -> None:
    for depth, key in enumerate(keys[:-1]):
        if not isinstance(values, dict) or (depth < 2 and key not in values):
            known = values if isinstance(values, dict) else ()
            raise UserError(
                f"Override `{override}`: the recipe has no `{key:.100}` there{suggestion(key, known)}."
            )
        values = values.get(key) or {}
    if not isinstance(values, dict):
        raise UserError(f"Override `{override}`: `{keys[-2]}` is a single value and has no keys.")
