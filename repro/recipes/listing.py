"""What `repro list` shows of a recipe, read without validating it."""

from __future__ import annotations

from typing import Any

from repro.recipes.load import merged


def summary(recipe_id: str) -> dict[str, Any]:
    """The recipe's id, paper, tier, family, data set, methods, stages and minutes (None where not given)."""
    values, _ = merged(recipe_id)
    stages = {k: s for k, s in (values.get("stages") or {}).items() if isinstance(s, dict)}
    methods = [s["method"].get("name") for s in stages.values() if isinstance(s.get("method"), dict)]
    return {
        "id": recipe_id,
        "paper": values.get("paper"),
        "tier": values.get("tier"),
        "family": values["family"],
        "dataset": values.get("dataset"),
        "methods": methods or [s.get("kind") for s in stages.values()][:1],
        "stages": list(stages),
        "minutes": values.get("minutes"),
        "title": values.get("title"),
    }
