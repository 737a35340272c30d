"""The record of one run: what was executed, where, and what came out. One JSON file, complete in itself."""

from __future__ import annotations

import json
import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator

from repro.errors import UserError
from repro.recipes.schema import Deviation


class Record(BaseModel):
    """One run of one recipe with one seed.

    `resolved` is the recipe as executed and `hash` names it; `metrics` are keyed `<stage>.<metric>`; `curves`,
    `stages` (seconds, images per second, …) are keyed by stage; `deviations` are those that the recipe declares
    and those met on the way; `started` and `finished` are ISO 8601 in UTC, `seconds` is working time; `artifacts`
    are the pictures (`<stage>/<file>`) in the folder beside the record that bears its name.

    Raises UserError for a metric that is not a finite number: such a run is not a result.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    recipe: str
    paper: str
    hash: str
    seed: int
    overrides: list[str] = []
    smoke: bool = False
    metrics: dict[str, float]
    deviations: list[Deviation] = []
    device: str
    precision: str
    seconds: float
    started: str
    finished: str
    code: dict[str, Any]
    packages: dict[str, str]
    hardware: dict[str, Any]
    plan: dict[str, Any]
    artifacts: list[str] = []
    resolved: dict[str, Any]
    stages: dict[str, dict[str, Any]]
    curves: dict[str, list[dict[str, Any]]] = {}

    @property
    def comparable(self) -> bool:
        """Whether the run is of the recipe as it stands: neither a smoke run nor with overridden values."""
        return not self.smoke and not self.overrides

    @field_validator("metrics")
    @classmethod
    def _finite(cls, metrics: dict[str, float]) -> dict[str, float]:
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise UserError(f"Metric `{name}` is {value}: the run is not a result and makes no record.")
        return metrics

    def to_json(self) -> str:
        """The file's text: each key of the record on a line of its own, so that it reads and diffs well.

        The curves come last, so that a reader can leave them out. Values of theirs that are not finite become null.
        """
        values = json.loads(self.model_dump_json())
        lines = (f"{json.dumps(key)}: {json.dumps(v, ensure_ascii=False)}" for key, v in values.items())
        return "{\n" + ",\n".join(lines) + "\n}\n"
