"""What `repro list` shows of a recipe, read without validating it."""

from __future__ import annotations

from typing import Any

from repro.recipes.inherit import merged
from repro.recipes.unroll import sketched


def summary(recipe_id: str) -> dict[str, Any]:
    """The recipe's id, paper, tier, family, data set, methods, stages and minutes (None where not given).

    Values are as the file has them, also where they cannot be right. Raises UserError for a file without values.
    """
    values, _ = merged(recipe_id)
    written = sketched(_mapping(values.get("stages")))
    stages = {name: stage for name, stage in written.items() if isinstance(stage, dict)}
    methods = [_mapping(stage["method"]).get("name") for stage in stages.values() if "method" in stage]
    return {
        "id": recipe_id,
        "paper": values.get("paper"),
        "tier": values.get("tier"),
        "family": values["family"],
        "dataset": values.get("dataset"),
        "methods": methods or [stage.get("kind") for stage in stages.values()][:1],
        "stages": list(stages),
        "minutes": values.get("minutes"),
        "title": values.get("title"),
    }


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
