"""The results as a page to look at: the table, then every recipe that ran with its notes, cost and pictures.

One HTML file, complete in itself.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.recipes.load import load
from repro.recipes.schema import Recipe
from repro.results.formats import duration
from repro.results.record import Record
from repro.results.rows import Row
from repro.results.store import Store
from repro.results.table import render
from repro.results.version import current, of_hash, version

TYPES = {".png": "image/png", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Ran:
    """A recipe and its runs that count, with the pictures of the first."""

    recipe: Recipe
    runs: Sequence[Record]
    pictures: Sequence[tuple[str, str]]

    @property
    def cost(self) -> str:
        """How many runs there are and how long they took in all."""
        return f"{len(self.runs)} run{'s' * (len(self.runs) > 1)}, {working_time(self.runs)}"


def report(rows: Sequence[Row], store: Store) -> str:
    """The page of these rows; the pictures are those beside the records of the store."""
    from jinja2 import Environment, PackageLoader  # only this command needs it

    found = [ran for id in dict.fromkeys(row.recipe for row in rows) if (ran := _ran(load(id), store))]
    page = Environment(loader=PackageLoader("repro.results", "."), autoescape=True, trim_blocks=True)
    total = working_time(run for ran in found for run in ran.runs)
    return page.get_template("report.html").render(table=render(rows, "html"), ran=found, total=total)


def counted(recipe: Recipe, store: Store) -> list[Record]:
    """The runs of the recipe as it stands, by the present code if there are any."""
    records, now = store.of(recipe.id), version(recipe)
    return current(records, now) or of_hash(records, now)


def working_time(runs: Iterable[Record]) -> str:
    """What the runs took in all, for people."""
    return duration(sum(run.seconds for run in runs) / 60)


def data_uri(path: Path) -> str:
    """The picture's bytes as an address, so that the page needs no other file."""
    return f"data:{TYPES[path.suffix]};base64,{b64encode(path.read_bytes()).decode()}"


def _ran(recipe: Recipe, store: Store) -> Ran | None:
    runs = counted(recipe, store)
    if not runs:
        return None
    return Ran(
        recipe, runs, [(path.stem.replace("_", " "), data_uri(path)) for path in store.pictures(runs[0])]
    )
