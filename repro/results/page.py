"""The generated page of results, results/README.md: the table, and how much of the reading list it covers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from textwrap import fill

from repro import paths
from repro.papers.coverage import figures
from repro.papers.coverage import report as coverage
from repro.papers.standing import STATUSES, survey
from repro.recipes.load import load, valid
from repro.recipes.schema import Recipe
from repro.results import scope
from repro.results.formats import tabular
from repro.results.report import counted, working_time
from repro.results.rows import Row, rows
from repro.results.store import Store
from repro.results.summary import headline, summary
from repro.results.table import expected_cell, render
from repro.results.version import changes, of_hash, version

INTRODUCTION = """\
# Results

{headline}

Written by `{command}` from the records in this folder, and from nothing else. Every record is one run of one
recipe with one seed; `measured` is the mean ± standard deviation over the seeds (their number). A verdict is an
equivalence test with the recipe's margin; evidence with a `?` is recalled and unchecked, and never counts. `stale?`
says that the code behind a result has changed since and that no later run has confirmed it."""

MARKS = ("<!-- results -->", "<!-- /results -->")

PICTURE = "cifar10-methods.svg"
COMPARISON = f"""\
## Methods on equal terms, at a small budget

A residual network of eight layers, two epochs of CIFAR-10, about four minutes on a processor core: what the methods
reach so early. It ranks them at that budget and says nothing about longer training; no paper reports these numbers.

![kNN and probe accuracy of every method]({PICTURE})"""


def all_rows(store: Store, metrics: Collection[str] = (), **wanted: str | None) -> list[Row]:
    """The rows of the valid recipes in the store's scope, those with fields (tier, family, …) as wanted, if given.

    `metrics` are whole names, or the part after the stage: `top1` for `knn.top1` and `probe.top1`.
    """
    given = {field: value for field, value in wanted.items() if value}
    recipes = valid(scope.recipes(store))[0]
    found = rows([r for r in recipes if all(getattr(r, f) == v for f, v in given.items())], store)
    return [r for r in found if not metrics or {r.metric, r.metric.split(".")[1]} & {*metrics}]


def _cost(rows: Sequence[Row]) -> str:
    store = Store(paths.results_dir())
    recipes = map(load, dict.fromkeys(row.recipe for row in rows))
    return working_time(run for recipe in recipes for run in counted(recipe, store))


def left_behind(recipes: Sequence[Recipe], store: Store) -> Iterator[tuple[str, str, str]]:
    """(recipe, how many records, why) of the records that do not speak for the recipe as it stands."""
    for recipe in recipes:
        records, now = store.of(recipe.id), version(recipe)
        same = of_hash(records, now)
        if older := len(records) - len(same):
            yield recipe.id, str(older), "the recipe has changed since"
        if aside := len(store.earlier(recipe.id)):
            yield recipe.id, str(aside), "a later run of the same seed has taken its place"
        outdated = [r for r in same if r.code_digest != now.code]
        if modules := changes(outdated, now):
            named = ", ".join(modules[:3]) + (" …" if len(modules) > 3 else "")
            yield recipe.id, str(len(outdated)), f"the code has changed since: {named}"


def unmatched(rows: Sequence[Row]) -> str:
    """A paragraph, the recipe's notes, on each recipe of which a result differs or is undecided."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        if row.verdict in ("differs", "undecided"):
            found.setdefault(row.recipe, {}).setdefault(row.verdict, []).append(f"`{row.metric}`")
    told = [f"**{id}** ({_listed(of)}). {load(id).notes or ''}".rstrip() for id, of in found.items()]
    return "\n\n".join(told) or "None."


def _listed(metrics: dict[str, list[str]]) -> str:
    return "; ".join(f"{verdict}: {', '.join(dict.fromkeys(of))}" for verdict, of in metrics.items())


def in_readme(text: str) -> str:
    """The README's text with the present results between its two marks."""
    before, mark, rest = text.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not (mark and end):
        return text
    store = Store(paths.results_dir())
    found = all_rows(store)
    counts = figures(scope.concerned(survey(found)[0], store))
    papers = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    told = f"{headline(found)} Of {counts['papers']} papers on file: {papers}; see [the results](results/README.md)."
    return f"{before}{mark}\n{fill(told, 118, break_on_hyphens=False)}\n{end}{after}"


def _command() -> str:
    """What writes the page, in a checkout and elsewhere."""
    return "repro table --write" if paths.bundled() else "make table"


def page() -> str:
    """The page's text: what was run, what does not match, the comparison of methods, what waits, and the coverage."""
    store = Store(paths.results_dir())
    found = all_rows(store)
    waiting = [row for row in found if row.verdict == "missing"]
    cells = [(row.recipe, row.tier, row.metric, expected_cell(row), str(row.evidence)) for row in waiting]
    ran = [row for row in found if row.verdict != "missing"]
    behind = [*left_behind(valid(scope.recipes(store))[0], store)]
    parts = (
        INTRODUCTION.format(headline=headline(found), command=_command()),
        render(ran, "md"),
        f"The runs behind this table took {_cost(ran)} of working time in all.",
        "## What does not match",
        unmatched(ran),
        "## Records of earlier recipes and code",
        "They are kept, and count only where a later run confirms the code.",
        tabular(("recipe", "records", "why"), behind, "md"),
        *([COMPARISON] if (store.root / PICTURE).is_file() else ()),
        "## Waiting for a machine",
        summary(waiting),
        tabular(("recipe", "tier", "metric", "expected", "evidence"), cells, "md"),
        "## Coverage of the reading list",
        coverage(scope.concerned(survey(found)[0], store), "md"),
    )
    return "\n\n".join(parts) + "\n"
