"""Everything wrong with a file at once, each problem with its file, line and key."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from repro.errors import UserError
from repro.recipes.yaml import line_of

MOST = 50  # problems told of one file
Keys = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One thing to mend: `file:line: key: message`."""

    file: Path
    line: int
    key: str
    message: str

    @property
    def told(self) -> str:
        """Key and message in one line."""
        return " ".join((f"{self.key}: {self.message}" if self.key else self.message).split())

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.told}"


class InvalidFile(UserError):
    """A recipe, paper or data set file with one or more problems."""

    def __init__(self, problems: Sequence[Problem]):
        super().__init__("\n".join(map(str, problems)))
        self.problems = list(problems)


def problems_of(
    error: ValidationError,
    files: Sequence[Path],
    own: Collection[str | int] = (),
    places: Callable[[Keys], list[Keys]] = lambda loc: [loc],
) -> list[Problem]:
    """The validation errors of a recipe, located in `files`: the recipe's own file, then those it extends.

    The keys `own` can stand in its own file only; `places` says where a value may be written.
    """
    found: dict[tuple[Keys, str], str] = {}
    for e in error.errors(include_url=False):
        candidates = places(tuple(key for key in e["loc"] if key != "[key]"))
        where, message = place(candidates, files), _message(e)
        repeated = where != candidates[0]  # in every round alike, but for the first
        if repeated and e["type"] == "missing" and any(line_of(f, where)[1] for f in files):
            message = "is missing in round 0, where what refers to `$previous` is left out"
        found.setdefault((where, "" if repeated else message), message)
    told = [
        locate(loc, message, files[:1] if loc and loc[0] in own else files)
        for (loc, _), message in islice(found.items(), MOST)
    ]
    if more := len(found) - len(told):
        told.append(Problem(files[0], 1, "", f"and {more} more problems"))
    return told


def place(places: Sequence[Keys], files: Sequence[Path]) -> Keys:
    """The first of the places that stands in one of the files, or else the last."""
    return next((loc for loc in places[:-1] if any(line_of(f, loc)[1] for f in files)), places[-1])


def first_of(error: ValidationError) -> str:
    """The first of the validation errors of a file that the program wrote itself."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"`{where}`: {first['msg']}" if where else first["msg"]


def locate(loc: Keys, message: str, files: Sequence[Path]) -> Problem:
    """The problem at `loc`, placed in the first file that has that key, else at its nearest ancestor.

    Of a list, an item is the first file's that has so many: it is not merged with another file's.
    """
    numbers = [depth for depth, key in enumerate(loc) if isinstance(key, int)]
    if numbers:
        files = [f for f in files if line_of(f, loc[: numbers[0] + 1])[1]][:1] or files
    places = [(file, *line_of(file, loc)) for file in files]
    file, line, _ = next((p for p in places if p[2]), places[0])
    return Problem(file, line, ".".join(map(str, loc)), message)


def _message(error: ErrorDetails) -> str:
    text = error["msg"].removeprefix("Value error, ")
    text = text[0].lower() + text[1:]
    if error["type"] in ("missing", "unknown_key", "no_component", "unknown_component", "value_error"):
        return "is missing" if error["type"] == "missing" else text
    return f"{text} (found {error['input']!r:.60})"
