"""What a run keeps between sessions: typed, and each file under a digest of its content.

A digest shows damage and careless edits; it is no signature. What does not agree is named and not used.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt, ValidationError

from repro.errors import UserError
from repro.files import digest, write_json
from repro.recipes.problems import first_of
from repro.recipes.schema import Deviation

NonNegative = Annotated[FiniteFloat, Field(ge=0)]


class State(BaseModel):
    """Something kept between sessions."""

    model_config = ConfigDict(extra="forbid")


class Note(State):
    """One session of a run: when, where, in which precision, and by which code."""

    started: str
    device: str
    processes: NonNegativeInt
    precision: str
    code: dict[str, Any]
    components: dict[str, str]


class Bound(State):
    """A file of its own. `of` is its place, so that it counts in no other; none in what earlier versions kept."""

    of: str | None = None


class Sessions(Bound):
    """All sessions of a run so far."""

    sessions: list[Note] = []


class Clock(Bound):
    """The working time of a stage so far, in seconds."""

    seconds: NonNegative = 0.0


class Done(Bound):
    """What a finished stage leaves: its outcome, and the digests of its files."""

    metrics: dict[str, FiniteFloat]
    curve: list[dict[str, Any]]
    facts: dict[str, Any]
    deviations: list[Deviation]
    pictures: list[str]
    files: dict[str, str]


class Progress(Bound):
    """What a checkpoint says beside its tensors: where the loop stands, and the optimizers' settings (`parts`)."""

    step: NonNegativeInt
    seconds: NonNegative
    curve: list[dict[str, float]]
    deviations: list[Deviation]
    parts: dict[str, Any]

    def problem(self, total: int) -> str | None:
        """Why a loop of `total` steps cannot have come here, or None."""
        steps = [int(point.get("step", -1)) for point in self.curve]
        if self.step > total:
            return f"it is at step {self.step} of {total}"
        if any(a > b for a, b in pairwise([1, *steps, max(1, self.step)])):
            return "its curve does not lead to its step"
        strides = [b - a for a, b in pairwise([0, *steps])]
        if strides and self.step - steps[-1] > 3 * max(strides):
            return f"its curve ends at step {steps[-1]}, far before its step {self.step}"
        return None


Kept = TypeVar("Kept", bound=Bound)


def place(path: Path) -> str:
    """What a kept file belongs to: its run (recipe, seed) and, within that, its stage."""
    return "/".join(path.parts[-3:])


def write(path: Path, state: Bound) -> None:
    """Writes the state whole, under its digest. Raises UserError when the disk refuses."""
    here = state.model_copy(update={"of": place(path)})
    content = json.loads(here.model_dump_json())  # what is not finite in a curve becomes null
    write_json(path, {"digest": digest(content), "content": content})


def read(path: Path, kind: type[Kept]) -> Kept:
    """The state in the file. Raises UserError, in one sentence, when it is not what was written."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, str(error)) from None
    if not isinstance(found, dict) or found.keys() != {"digest", "content"}:
        raise damaged(path, "it is not what a run keeps")
    if found["digest"] != digest(found["content"]):
        raise damaged(path, "its digest is not that of its content")
    return typed(path, found["content"], kind)


def typed(path: Path, content: Any, kind: type[Kept]) -> Kept:
    """The content of a kept file as what it should be. Raises UserError."""
    try:
        found = kind.model_validate(content)
    except ValidationError as error:
        raise damaged(path, first_of(error)) from None
    if found.of not in (None, place(path)):
        raise damaged(path, f"it belongs to {found.of}")
    return found


def damaged(path: Path, why: str) -> UserError:
    """What to say of a kept file that cannot be used."""
    return UserError(
        f"{path} was damaged or edited ({' '.join(why.split())}); delete the folder {path.parent} to do again what "
        "it holds, or start the whole run again with --force."
    )
