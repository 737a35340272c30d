"""Fields of a recipe whose value chooses a component."""

from __future__ import annotations

from typing import Any

from pydantic import BeforeValidator, WithJsonSchema

from repro import components
from repro.options.base import Options

_BASES = "repro.options.training"


def chosen(folders: tuple[str, ...], key: str, default: str | None = None) -> Any:
    """A field whose value picks a component by `key` and is checked by that component's own options."""

    def read(value: Any) -> Any:
        if default and type(value).__module__ == _BASES:  # a default, as options in general
            value = value.model_dump(exclude_unset=True)
        if default and isinstance(value, dict):
            value = {key: default, **value}
        return value if isinstance(value, Options) else components.options_for(folders, key, value)

    return BeforeValidator(read)


def schema(folders: tuple[str, ...], key: str) -> Any:
    """Marks the field for `repro check --schema`, which fills in one alternative for each component."""
    return WithJsonSchema({"type": "object", "components": [*folders], "key": key})
