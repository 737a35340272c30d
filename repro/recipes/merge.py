"""How one mapping of values changes another: that of a recipe what it inherits, an override a recipe."""

from __future__ import annotations

from typing import Any

from repro import components
from repro.errors import UserError

# The keys by which a component is chosen. Naming another drops the options of the one before, but for those that
# belong to its place: the head on a backbone, the number of views and those that differ.
CHOICES: dict[str, tuple[str, ...]] = {
    "name": (),
    "kind": (),
    "backbone": ("head",),
    "policy": ("count", "each", "local"),
}


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over`. Mappings merge key by key, except where `over` chooses another component,
    whose options are its own; lists replace; a null takes a value away (see `repro.options.Options`)."""
    result = dict(base)
    for choice, kept in CHOICES.items():
        if choice in over and _another(choice, over[choice], base.get(choice)):
            result = {key: value for key, value in result.items() if key in kept}
    for key, value in over.items():
        if isinstance(value, dict):
            inherited = result.get(key)
            result[key] = merge(inherited if isinstance(inherited, dict) else {}, value)
        else:
            result[key] = value
    return result


def _another(choice: str, new: Any, old: Any) -> bool:
    """Whether it is another component. Backbones of one class, such as deeper ones, have the same options."""
    if new == old or choice != "backbone":
        return bool(new != old)
    try:
        return components.find(("networks",), str(new)) != components.find(("networks",), str(old))
    except UserError:  # told when the recipe is validated
        return True
