"""The fields of a table as they are."""

from __future__ import annotations

from repro.options import ViewOptions


class FieldsOptions(ViewOptions):
    """Every field under its own name, and `count` copies of the one that networks see as views."""

    field: str = "features"
    """What networks see."""

    def seeing(self, field: str) -> FieldsOptions:
        return self.model_copy(update={"field": field})
