"""The record of one run: what was executed, where, and what came out. One JSON file, complete in itself.

A record bears a digest over all that it says. It shows damage and careless edits; it is no signature, since whoever
changes a record on purpose can compute it anew.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from repro.errors import UserError
from repro.recipes.schema import Deviation
from repro.source import combined

Picture = Annotated[str, Field(pattern=r"^[a-z0-9_]+/[A-Za-z0-9_-]+\.(png|svg)$")]
_DIGEST = '{\n"digest": "%s",\n'


class Confirmation(BaseModel):
    """An earlier run of the same recipe and seed whose metrics this run has again, to rounding.

    `code` is the digest of the components of that run, `finished` its time, `difference` the largest difference of a
    metric, relative to its size.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    finished: str
    difference: float


class Record(BaseModel):
    """One run of one recipe with one seed.

    `resolved` is the recipe as executed and `hash` names it; `components` are the digests of the modules that
    computed it (`repro.source`), `code` the version and commit of the package; `precision` is what the stages
    computed in, each once; `metrics` are keyed `<stage>.<metric>`; `curves`,
    `stages` (seconds, images per second, …) are keyed by stage; `deviations` are those that the recipe declares
    and those met on the way; `started` and `finished` are ISO 8601 in UTC, `seconds` is working time; `artifacts`
    are the pictures (`<stage>/<file>`) in the folder beside the record that bears its name.

    Raises UserError for a metric that is not a finite number: such a run is not a result.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[2] = 2
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
    components: dict[str, str] = {}
    confirms: list[Confirmation] = []
    packages: dict[str, str]
    hardware: dict[str, Any]
    plan: dict[str, Any]
    artifacts: list[Picture] = []
    resolved: dict[str, Any]
    stages: dict[str, dict[str, Any]]
    curves: dict[str, list[dict[str, Any]]] = {}

    @property
    def code_digest(self) -> str:
        """One digest for all components."""
        return combined(self.components)

    @property
    def asked_precision(self) -> str:
        """The precision that the run's last session was set to, also where a stage computes in another."""
        sessions = self.plan.get("sessions") or [{}]
        return str(sessions[-1].get("precision", self.precision))

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
        """The file's text: its digest, then each key of the record on a line of its own, so that it diffs well.

        The curves come last, so that a reader can leave them out. Values of theirs that are not finite become null.
        """
        return sealed(json.loads(self.model_dump_json()))


def sealed(values: Mapping[str, Any]) -> str:
    """The text of a record with these values, under its digest."""
    return _with_digest(_lines(values))


def opened(text: str) -> str:
    """The JSON below the digest, which has to be that of the rest; how the text is laid out does not matter.

    Raises ValueError when it is not, or when the text is no JSON object.
    """
    _, first, rest = text.partition("{\n")
    _, comma, body = rest.partition(",\n")
    if first and comma and text == _with_digest("{\n" + body):
        return "{\n" + body
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError("it is no JSON object")
    stated = values.pop("digest", None)
    order = [name for name in Record.model_fields if name in values]
    body = _lines({name: values[name] for name in [*order, *sorted(values.keys() - order)]})
    if stated != _digest(body):
        raise ValueError("its digest is not that of its content: it was damaged or edited")
    return body


def _lines(values: Mapping[str, Any]) -> str:
    lines = (f"{json.dumps(key)}: {json.dumps(v, ensure_ascii=False)}" for key, v in values.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _with_digest(text: str) -> str:
    return _DIGEST % _digest(text) + text.removeprefix("{\n")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
