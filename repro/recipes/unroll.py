"""Rounds: stages that are repeated are written once, and unrolled into ordinary stages when the recipe is read.

    tasks:
      kind: rounds
      count: 5
      body:
        train: {kind: train, start: $previous.train, data: {slice: {classes: {of: 5, task: $round}}}, …}
        test: {kind: evaluate, of: $this.train}

is `tasks0_train`, `tasks0_test`, `tasks1_train`, … Within the body `$round` is the number of the round, from 0, and
`$this.train` and `$previous.train` are the stages of this round and of the one before. What refers to `$previous` is
left out in round 0: the key whose value it is, or a whole entry of a list or of `streams`; and what is empty then.

A stage with `$seen` in it is there for every round up to this one, whose number that is: from
`test: {kind: evaluate, of: $this.train, data: {slice: {classes: {of: 5, task: $seen}}}}` come, in round 2,
`tasks2_test0`, `tasks2_test1` and `tasks2_test2`.

After the rounds, `$last.tasks.train` is the stage of the last one. A stage of one round alone is changed, or with
null taken away, under its own name beside the rounds: `tasks3_train: {epochs: 1}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from repro.errors import suggestion
from repro.recipes.merge import merge
from repro.recipes.schema import Rounds
from repro.recipes.yaml import MOST

Keys = tuple[str | int, ...]
Values = dict[str, Any]
WORDS = (
    "`$round`, `$seen`, `$this.<stage>`, `$previous.<stage>` and, of earlier rounds, `$last.<rounds>.<stage>`"
)
_REFERENCE = re.compile(r"\$(round|seen|this|previous|last)(\..*)?", re.DOTALL)
_LEFT_OUT = object()


class Made(NamedTuple):
    """Which rounds a stage is from, the number of the round, its name in the body, and the number of a round seen."""

    rounds: str
    number: int
    body: str
    seen: int | None = None

    @property
    def name(self) -> str:
        return f"{self.rounds}{self.number}_{self.body}{'' if self.seen is None else self.seen}"

    def within(self, count: int) -> Made:
        """The same of the last of so many rounds, if it is of a later one."""
        seen = None if self.seen is None else min(self.seen, count - 1)
        return self._replace(number=min(self.number, count - 1), seen=seen)


@dataclass
class Unrolled:
    """A recipe's values with ordinary stages only; `made` are those from rounds. `errors` say what could not be."""

    values: Values
    made: dict[str, Made] = field(default_factory=dict)
    errors: list[InitErrorDetails] = field(default_factory=list)

    def check(self) -> None:
        """Raises ValidationError, located in the values as they were written."""
        if self.errors:
            raise ValidationError.from_exception_data("Recipe", self.errors)

    def places(self, loc: Keys) -> list[Keys]:
        """Where the value at `loc` may be written: with its stage's own changes, or in the body of rounds."""
        made = self.made.get(str(loc[1])) if len(loc) > 1 and loc[0] == "stages" else None
        return [loc, ("stages", made.rounds, "body", made.body, *loc[2:])] if made else [loc]


def unrolled(values: Values) -> Unrolled:
    """The values with their rounds unrolled, and without the stages that a null has taken away."""
    stages = values.get("stages")
    if not isinstance(stages, dict):
        return Unrolled(values)
    errors: list[InitErrorDetails] = []
    rounds = _rounds(stages, errors)
    made = _made(rounds, errors)
    found: Values = {}
    earlier: dict[str, Rounds] = {}
    for name, stage in stages.items():
        if name in rounds:
            for one in (one for one in made.values() if one.rounds == name):
                filler = _Filler(errors, earlier, one, rounds[name])
                whole = filler.stage(rounds[name].body[one.body], ("stages", name, "body", one.body))
                own = filler.stage(stages.get(one.name, {}), ("stages", one.name))
                found[one.name] = merge(whole, own) if isinstance(own, dict) else own
            earlier[name] = rounds[name]
        elif name not in made and not _is_rounds(stage):
            _refuse_beyond(name, stage, rounds, errors)
            found[name] = _Filler(errors, earlier).stage(stage, ("stages", name))
    kept = {name: stage for name, stage in found.items() if stage is not None}
    return Unrolled({**values, "stages": kept}, made, errors)


def sketched(stages: Values) -> Values:
    """Stages as they are written, but for the rounds `tasks` the stages of the body, as `tasks*_train`."""
    found: Values = {}
    for name, stage in stages.items():
        body = stage.get("body") if _is_rounds(stage) else None
        found |= {f"{name}*_{b}": o for b, o in body.items()} if isinstance(body, dict) else {name: stage}
    return found


@dataclass
class _Filler:
    """Puts values in the place of `$…`; `made` is the stage that is being made, when it is one of rounds."""

    errors: list[InitErrorDetails]
    earlier: Mapping[str, Rounds]
    made: Made | None = None
    rounds: Rounds | None = None

    def stage(self, options: Any, where: Keys) -> Any:
        """The options of a stage, which are there even where all in them is left out."""
        filled = self.filled(options, where)
        return {} if filled is _LEFT_OUT else filled

    def filled(self, value: Any, where: Keys) -> Any:
        """The value without references; `_LEFT_OUT` where it is, or all in it is, of a round before the first."""
        if isinstance(value, str) and ((self.made and value.startswith("$")) or _REFERENCE.fullmatch(value)):
            return self._meaning(value, where)
        if isinstance(value, dict):
            parts = [(key, inner, (*where, key)) for key, inner in value.items()]
            whole = len(where) > 1 and where[-1] == "streams"
        elif isinstance(value, list):
            parts = [(i, inner, (*where, i)) for i, inner in enumerate(value)]
            whole = True
        else:
            return value
        first = self.made is not None and self.made.number == 0
        filled = {
            key: self.filled(inner, place)
            for key, inner, place in parts
            if not (first and whole and _mentions(inner, "$previous."))
        }
        kept = {key: inner for key, inner in filled.items() if inner is not _LEFT_OUT}
        if value and not kept:
            return _LEFT_OUT
        return kept if isinstance(value, dict) else [*kept.values()]

    def _meaning(self, text: str, where: Keys) -> Any:
        word, _, rest = text[1:].partition(".")
        if word == "last":
            rounds, _, body = rest.partition(".")
            if rounds not in self.earlier:
                return self._wrong(text, where, f"no rounds before it are called `{rounds:.100}`")
            return self._stage(
                text, where, rounds, self.earlier[rounds], self.earlier[rounds].count - 1, body
            )
        if self.made is None or self.rounds is None:
            return self._wrong(text, where, "it has a meaning only in the body of rounds")
        if text == "$round":
            return self.made.number
        if text == "$seen":
            return self.made.seen
        if word not in ("this", "previous"):
            return self._wrong(text, where, f"it means nothing; there are {WORDS}")
        number = self.made.number - (word == "previous")
        found = self._stage(text, where, self.made.rounds, self.rounds, number, rest)
        return _LEFT_OUT if number < 0 else found

    def _stage(self, text: str, where: Keys, name: str, rounds: Rounds, number: int, body: str) -> str:
        if body not in rounds.body:
            near = suggestion(body, rounds.body) or f"; they have {', '.join(f'`{b}`' for b in rounds.body)}"
            return self._wrong(text, where, f"rounds `{name}` have no stage `{body:.100}`{near}")
        if _mentions(rounds.body[body], "$seen"):
            return self._wrong(text, where, f"`{body}` is not one stage, but one for each round seen")
        return Made(name, number, body).name

    def _wrong(self, text: str, where: Keys, why: str) -> str:
        _complain(self.errors, where, f"`{text:.100}`: {why}")
        return text


def _rounds(stages: Values, errors: list[InitErrorDetails]) -> dict[str, Rounds]:
    """Those of the stages that are rounds, as far as they are in order."""
    found = {}
    for name, stage in stages.items():
        if not _is_rounds(stage):
            continue
        body = stage.get("body")
        if isinstance(body, dict):
            stage = {**stage, "body": {key: inner for key, inner in body.items() if inner is not None}}
        try:
            found[name] = Rounds.model_validate(stage)
        except ValidationError as error:
            for one in error.errors():
                errors.append(
                    InitErrorDetails(
                        type=PydanticCustomError(one["type"], "{message}", {"message": one["msg"]}),  # type: ignore[arg-type]
                        loc=("stages", name, *one["loc"]),
                        input=one["input"],
                    )
                )
    return found


def _made(rounds: Mapping[str, Rounds], errors: list[InitErrorDetails]) -> dict[str, Made]:
    """All stages that the rounds give, in their order."""
    found: dict[str, Made] = {}
    for name, one in rounds.items():
        for nested in (body for body, options in one.body.items() if _is_rounds(options)):
            _complain(errors, ("stages", name, "body", nested, "kind"), "there are no rounds within rounds")
        often = {body: _mentions(options, "$seen") for body, options in one.body.items()}
        each = one.count * (one.count + 1) // 2
        if (total := len(found) + sum(each if o else one.count for o in often.values())) > MOST:
            _complain(errors, ("stages", name, "count"), f"that makes {total} stages (at most {MOST})")
            continue
        stages = [
            Made(name, number, body, seen)
            for number in range(one.count)
            for body in one.body
            for seen in (range(number + 1) if often[body] else (None,))
        ]
        for stage in stages:
            if other := found.get(stage.name):
                both = f"`{name}` and `{other.rounds}` both give a stage `{stage.name}`; rename one"
                _complain(errors, ("stages", name), both)
            found[stage.name] = stage
    return found


def _refuse_beyond(
    name: str, stage: Any, rounds: Mapping[str, Rounds], errors: list[InitErrorDetails]
) -> None:
    """A stage without a kind that looks as if it changed one of rounds must not be of a round that there is not."""
    if not isinstance(stage, dict) or "kind" in stage:
        return
    for of, one in rounds.items():
        if any(re.fullmatch(rf"{re.escape(of)}\d+_{body}\d*", name) for body in one.body):
            _complain(
                errors,
                ("stages", name),
                f"rounds `{of}` have no such stage; the last is number {one.count - 1}",
            )


def _mentions(value: Any, word: str) -> bool:
    """Whether a text that begins so is anywhere in the value."""
    if isinstance(value, dict | list):
        return any(_mentions(inner, word) for inner in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and value.startswith(word)


def _is_rounds(stage: Any) -> bool:
    return isinstance(stage, dict) and stage.get("kind") == "rounds"


def _complain(errors: list[InitErrorDetails], where: Keys, message: str) -> None:
    told = PydanticCustomError("value_error", "{message}", {"message": message})
    if not any(one["loc"] == where and str(one["type"]) == str(told) for one in errors):
        errors.append(InitErrorDetails(type=told, loc=where, input=None))
