"""The fields that views are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from repro.errors import UserError, suggestion


def field(fields: Mapping[str, Any], name: str) -> Any:
    """The entries of one field. Raises UserError when the data has none of that name."""
    if name not in fields:
        near = suggestion(name, fields) or f"; there are {', '.join(fields)}"
        raise UserError(f"The views are made of a field `{name}`, which the data has not{near}")
    return fields[name]
