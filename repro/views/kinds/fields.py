"""Fields that need no change."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from repro.views.draws import Draws
from repro.views.field import field
from repro.views.kinds.fields_options import FieldsOptions


class Fields:
    """Tensors (n, …) of more than one number for each sample -> the same, and the one that networks see as `views`
    (n, V, …). Single numbers of a sample reach a method anyway."""

    Options = FieldsOptions

    def __init__(self, options: FieldsOptions) -> None:
        self.options = options

    def __call__(self, fields: dict[str, Any], draws: Draws) -> dict[str, Tensor]:
        found = {name: x for name, x in fields.items() if isinstance(x, Tensor) and x.dim() > 1}
        seen = self.plain(fields)[:, None]
        return {**found, "views": seen.expand(-1, self.options.count, *seen.shape[2:])}

    def plain(self, fields: dict[str, Any]) -> Tensor:
        """(n, …) the field that networks see."""
        found: Tensor = field(fields, self.options.field)
        return found
