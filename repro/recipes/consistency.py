"""Whether a recipe's parts fit together: stages that name others, metrics, data. Known before anything runs."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterator
from itertools import islice

from repro.data.declare import declaration
from repro.data.declare import names as dataset_names
from repro.errors import UserError, suggestion
from repro.options import DataOptions, MetricsRef, StageOptions, references
from repro.recipes.schema import Recipe

Keys = tuple[str | int, ...]
Contradiction = tuple[Keys, str]  # where, as a path of keys, and what


def contradictions(recipe: Recipe) -> Iterator[Contradiction]:
    """Everything in a valid recipe that would make a run fail, or an expected number wait for ever."""
    yield from _references(recipe)
    yield from _metrics(recipe)
    yield from _data(recipe)


def _references(recipe: Recipe) -> Iterator[Contradiction]:
    leaving: dict[str, list[str]] = {}  # what is left -> the stages so far that leave it
    given: dict[str, None] = {}  # the metrics of the stages so far
    for name, stage in recipe.stages.items():
        for one in references(stage):
            where = ("stages", name, *one.keys)
            if isinstance(one.mark, MetricsRef):
                if not fnmatch.filter(given, one.named):
                    yield where, _unmeasured(one.named, given)
                continue
            needs = stage.needs.get(str(one.keys[0]), one.mark.needs)
            if not any(one.named in leaving.get(what, ()) for what in needs):
                able = dict.fromkeys(n for what in needs for n in leaving.get(what, ()))
                yield where, _unfit(recipe, name, one.named, " or ".join(needs), able)
        for what in _declared(stage, "leaves"):
            leaving.setdefault(what, []).append(name)
        given |= dict.fromkeys(f"{name}.{metric}" for metric in _declared(stage, "metrics"))


def _unfit(recipe: Recipe, name: str, other: str, needs: str, able: Collection[str]) -> str:
    near = f"; take {_listed(able)}" if able else f"; no earlier stage leaves {_article(needs)}"
    if other not in recipe.stages:
        return f"no stage is called `{other:.100}`{suggestion(other, able) or near}"
    order = list(recipe.stages)
    if order.index(other) >= order.index(name):
        return f"stage `{other}` does not come before `{name}`{near}"
    return f"stage `{other}` (`kind: {recipe.stages[other].kind}`) leaves no {needs}{near}"


def _article(what: str) -> str:
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"


def _unmeasured(named: str, given: Collection[str]) -> str:
    near = suggestion(named, given) or (f"; there are {_listed(given)}" if given else "")
    return f"no earlier stage gives a metric `{named:.100}`{near}"


def _metrics(recipe: Recipe) -> Iterator[Contradiction]:
    for index, expected in enumerate(recipe.expected):
        for key in ("metric", "greater_than"):
            if not (metric := getattr(expected, key)):
                continue
            stage, _, name = metric.partition(".")
            if stage not in recipe.stages:
                message = f"no stage is called `{stage}` (there are {_listed(recipe.stages)})"
            elif name not in (given := _declared(recipe.stages[stage], "metrics")):
                near = (
                    suggestion(name, given)
                    or f"; it gives {_listed(given) or 'none that its options declare'}"
                )
                message = f"stage `{stage}` gives no metric `{name}`{near}"
            else:
                continue
            yield ("expected", index, key), message


def _data(recipe: Recipe) -> Iterator[Contradiction]:
    known = dataset_names()
    if recipe.dataset and recipe.dataset not in known:
        near = suggestion(recipe.dataset, known) or "; `repro data list` shows all"
        yield ("dataset",), f"no data set `{recipe.dataset}`{near}"
        return
    for name, stage in recipe.stages.items():
        for keys, dataset, split, labelled in _reads(stage, recipe.dataset):
            if fault := _unreadable(dataset, split, labelled):
                yield ("stages", name, *keys), fault
                if dataset is None:
                    break


def _reads(stage: StageOptions, dataset: str | None) -> Iterator[tuple[Keys, str | None, str, bool]]:
    """Where the stage names what it reads, of which data set, which split, and whether it needs all labels."""
    data = getattr(stage, "data", None) or DataOptions()
    labelled = _declared(stage, "labelled")
    for split in _declared(stage, "splits"):
        named: Keys = tuple(key for key, value in stage if value == split)[:1]
        keys: Keys = ("data",) if data.set else ("data", "split") if data.split else named
        yield keys, data.set or dataset, data.split or split, split in labelled
    for name, stream in (getattr(stage, "streams", None) or {}).items():
        yield ("streams", name), stream.set or dataset, stream.split or "train", False


def _unreadable(dataset: str | None, split: str, labelled: bool) -> str | None:
    """Why a split cannot serve; None also where the data set's own file is at fault, which is told with it."""
    if dataset is None:
        return "needs data, and the recipe names no `dataset`"
    if dataset not in dataset_names():
        return f"no data set `{dataset}`{suggestion(dataset, dataset_names()) or '; `repro data list` shows all'}"
    try:
        declared = declaration(dataset)
    except UserError:
        return None
    if split not in declared.splits:
        near = suggestion(split, declared.splits) or f"; it has {_listed(declared.splits)}"
        return f"data set `{dataset}` has no split `{split}`{near}"
    if split in declared.unlabelled and labelled:
        able = [other for other in declared.splits if other not in declared.unlabelled]
        return (
            f"split `{split}` of data set `{dataset}` has no labels, which the stage needs"
            f"; with labels it has {_listed(able) or 'none'}"
        )
    return None


def _declared(stage: StageOptions, what: str) -> Collection[str]:
    """The stage's `metrics`, `leaves`, `splits` or `labelled`."""
    try:
        found: Collection[str] = getattr(stage, what)
    except Exception as error:  # somebody's code
        fault = f"{type(error).__name__}: {error}"
        raise UserError(
            f"Stage kind `{stage.kind}`: its options cannot say their `{what}` ({fault})."
        ) from error
    return found


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in islice(names, 8))
    return f"{shown}, …" if len(names) > 8 else shown
