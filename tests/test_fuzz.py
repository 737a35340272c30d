"""No recipe, override, paper or data set file, however spoilt, gives a traceback or a hang, but one clear line.

`spoilt` spoils any nested value and `edited` any text: they serve for other files that people or programs write.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml as pyyaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from repro.data.declare import DataSet
from repro.engine import state
from repro.engine.state import Clock, Done, Progress, Sessions
from repro.errors import UserError
from repro.papers.schema import Paper
from repro.recipes import yaml
from repro.recipes.check import check_recipes
from repro.recipes.listing import summary
from repro.recipes.load import examined, load, recipe_hash
from repro.recipes.problems import problems_of
from tests.conftest import ROOT, Write

FEW, MANY = 60, 2000  # examples of each kind of recipe file and fewer of others: 328 and 11,000 in all
SLOWEST = 5.0  # seconds of processor time that one example may take
LENGTHS = pytest.mark.parametrize("examples", [FEW, pytest.param(MANY, marks=pytest.mark.long)])

Key = str | int
NASTY: list[Any] = [
    None, True, False, 0, -1, 2, 2**31, 2**63 - 1, 10**30, 1e308, 5e-324, -0.0, float("nan"), float("inf"),
    "", " ", "~", "true", "nan", ".inf", "1e400", "010", "1:30", "0x10", "é", "\u202e", "\u2028", "x" * 300,
    "../../evil", "/etc/passwd", "a.b", "{}", "pretrain", "cifar10", "test", [], {}, [[]], [{}], {"": ""},
    {"name": "supcon"}, {"kind": "knn"}, {"backbone": "mlp"}, {"policy": "digits"}, {"extends": "parent"},
]  # fmt: skip
TOKENS = [
    "&a ", "*a", "!!int ", "!!python/none ", "? ", ": ", "- ", "|\n", ">\n", "{", "}", "[", "]", "'", '"', "#", "\t",
    "\n", "---\n", "...\n", "<<: ", "%YAML 1.1\n", "\ufeff", "\0", "\x1b", "\x85", "\r", "null", ".nan", "9" * 400,
    "010", "\\", '"\\ud800"', "[" * 30, "{a: " * 30, "extends: parent\n", "id: x\n", "k: &k [*k, *k]\n",
]  # fmt: skip
values = st.recursive(
    st.sampled_from(NASTY) | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def spoilt(draw: st.DrawFn, whole: Any, most: int = 4) -> Any:
    """`whole`, nested mappings and lists, with up to `most` of its parts replaced, removed, renamed or moved."""
    whole = json.loads(json.dumps(whole))
    for _ in range(draw(st.integers(1, most))):
        places = list(_places(whole))
        if not places:
            return deepcopy(draw(values))
        holder, key = draw(st.sampled_from(places))
        how = draw(st.sampled_from(["replace", "remove", "rename", "move", "wrap"]))
        if how == "remove":
            del holder[key]
        elif how == "rename" and isinstance(holder, dict):
            new = draw(st.sampled_from(["extends", "kind", "of", "name", "id"]) | st.text(max_size=8))
            holder[new] = holder.pop(key)
        elif how == "move":
            other, at = draw(st.sampled_from(places))
            holder[key] = json.loads(json.dumps(other[at])) if _has(other, at) else None
        else:
            holder[key] = [holder[key]] if how == "wrap" else deepcopy(draw(values))
    return whole


@st.composite
def edited(draw: st.DrawFn, text: str, most: int = 4) -> str:
    """`text` with up to `most` stretches of it replaced by tokens, random text or other stretches."""
    for _ in range(draw(st.integers(1, most))):
        start = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 20))
        again = text[(at := draw(st.integers(0, len(text)))) : at + draw(st.integers(0, 80))]
        new = draw(
            st.sampled_from(TOKENS) | st.just(again) | st.text(st.characters(codec="utf-8"), max_size=12)
        )
        text = text[:start] + new + text[start + cut :]
    return text


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in list(entries):
        yield value, key
        yield from _places(inner)


def _has(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else key < len(holder)


class _Dumper(pyyaml.SafeDumper):
    """Without anchors where an object occurs twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def dumped(value: Any, **options: Any) -> str:
    return str(pyyaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, **options))


@cache
def originals(pattern: str) -> dict[str, str]:
    """The texts of the checkout's files that stand on their own, by name."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(ROOT.glob(pattern))}
    return {name: text for name, text in texts.items() if not re.search("^extends:", text, re.M)}


def some(pattern: str) -> st.SearchStrategy[str]:
    return st.sampled_from(sorted(originals(pattern).values()))


RECIPES = "recipes/*/*.yaml"


def fuzz(examples: int, strategy: st.SearchStrategy[Any], survives: Callable[[Any], None]) -> None:
    """Runs `survives` on so many examples, each within its time."""

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(strategy)
    def run(example: Any) -> None:
        began = time.process_time()
        survives(example)
        assert time.process_time() - began < SLOWEST

    run()


def told(error: UserError) -> None:
    assert str(error) and all(len(line) < 2000 for line in str(error).splitlines())


def recipe_survives(recipe_id: str, *overrides: str) -> None:
    """Reading, checking, listing and showing it works, or is a UserError."""
    try:
        recipe, problems = examined(recipe_id, overrides)
    except UserError as error:
        told(error)
        recipe, problems = None, []
    assert all("\n" not in str(problem) for problem in problems)
    if recipe and not problems:
        json.dumps(recipe.model_dump(mode="json"), allow_nan=False)
        assert len(recipe_hash(recipe)) == 64
        assert all(isinstance(name, str) for stage in recipe.stages.values() for name in stage.metrics)
    if overrides:
        return
    assert all("\n" not in problem for problem in check_recipes([recipe_id]))
    try:
        json.dumps(summary(recipe_id), allow_nan=False)
    except UserError as error:
        told(error)


@LENGTHS
def test_spoilt_recipes(write_recipe: Write, examples: int) -> None:
    def survives(recipe: Any) -> None:
        write("r", dumped(recipe))
        recipe_survives("r")

    write = files_of(write_recipe)
    fuzz(examples, some(RECIPES).map(yaml.parse).flatmap(spoilt), survives)


@LENGTHS
def test_spoilt_children(write_recipe: Write, examples: int) -> None:
    def survives(case: Any) -> None:
        parent, child = case
        write("parent", parent)
        inherits = {"extends": "parent", "title": "child"}
        text = dumped({**inherits, **child} if isinstance(child, dict) else child)
        write("r", text)
        recipe_survives("r")

    def family(text: str) -> st.SearchStrategy[Any]:
        parent = yaml.parse(text)
        return st.tuples(
            st.just(text), spoilt({key: parent[key] for key in ("stages", "dataset") if key in parent})
        )

    write = files_of(write_recipe)
    fuzz(examples, some(RECIPES).flatmap(family), survives)


@LENGTHS
def test_edited_recipe_texts(write_recipe: Write, examples: int) -> None:
    def survives(text: str) -> None:
        write("r", text)
        recipe_survives("r")

    write = files_of(write_recipe)
    write("parent", originals(RECIPES)["supcon-digits"])
    fuzz(examples, some(RECIPES).flatmap(edited), survives)


@LENGTHS
def test_spoilt_overrides(write_recipe: Write, examples: int) -> None:
    def survives(case: tuple[str, list[str]]) -> None:
        write("r", case[0])
        recipe_survives("r", *case[1])

    def overrides(text: str) -> st.SearchStrategy[Any]:
        parts = [path for path in _paths(yaml.parse(text)) if path]
        written = values.map(lambda value: dumped(value, default_flow_style=True))
        path = st.sampled_from(parts) | st.sampled_from(parts).flatmap(edited)
        value = written | st.sampled_from(TOKENS) | written.flatmap(edited)
        return st.tuples(
            st.just(text), st.lists(st.tuples(path, value).map("=".join), min_size=1, max_size=3)
        )

    write = files_of(write_recipe)
    fuzz(examples, some(RECIPES).flatmap(overrides), survives)


@LENGTHS
@pytest.mark.parametrize(
    ("pattern", "model"), [("papers/*.yaml", Paper), ("repro/data/sets/*.yaml", DataSet)]
)
def test_papers_and_data_sets(tmp_path: Path, examples: int, pattern: str, model: Any) -> None:
    path = tmp_path / "x.yaml"

    def survives(text: str) -> None:
        path.write_text(text, encoding="utf-8", newline="")
        try:
            model.model_validate({"name": "x"} | yaml.read(path) if model is DataSet else yaml.read(path))
        except UserError as error:
            told(error)
        except ValidationError as error:
            assert all("\n" not in str(problem) for problem in problems_of(error, [path]))

    whole = some(pattern).map(yaml.parse).flatmap(spoilt).map(dumped)
    fuzz(examples // 2, whole | some(pattern).flatmap(edited), survives)


KEPT = [
    (Sessions, {"sessions": [{"started": "2026-01-01", "device": "cpu", "processes": 1, "precision": "fp32",
                              "code": {"commit": None}, "components": {"train": "00"}}]}),
    (Clock, {"seconds": 3.5}),
    (Done, {"metrics": {"top1": 50.0}, "curve": [{"step": 1, "loss": 2.0}], "facts": {"seconds": 1.0},
            "deviations": [{"what": "a", "paper": "b", "here": "c", "why": "d"}], "pictures": ["s/a.png"],
            "files": {"output.safetensors": "00"}}),
    (Progress, {"step": 2, "seconds": 1.0, "curve": [{"step": 1.0, "loss": 2.0}], "deviations": [],
                "parts": {"optimizer": [{"lr": 0.1, "params": [0]}]}}),
]  # fmt: skip


@LENGTHS
@pytest.mark.parametrize(("kind", "whole"), KEPT, ids=[kind.__name__ for kind, _ in KEPT])
def test_what_a_run_keeps(tmp_path: Path, examples: int, kind: Any, whole: Any) -> None:
    path = tmp_path / "kept.json"

    def survives(text: str) -> None:
        path.write_text(text, encoding="utf-8", newline="")
        try:
            state.read(path, kind)
        except UserError as error:
            told(error)

    def under_its_digest(content: Any) -> str:
        return json.dumps({"digest": state.digest(content), "content": content})

    survives(under_its_digest(whole))
    assert state.read(path, kind)
    fuzz(examples // 8, spoilt(whole).map(under_its_digest) | edited(under_its_digest(whole)), survives)


def files_of(write_recipe: Write) -> Callable[[str, str], Path]:
    """`write_recipe` for files that are written over and over: which there are is then known."""
    paths = {name: write_recipe(name, "") for name in ("r", "parent")}

    def write(name: str, text: str) -> Path:
        paths[name].write_text(text, encoding="utf-8", newline="")
        return paths[name]

    return write


def _paths(value: Any, before: str = "") -> Iterator[str]:
    yield before
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, f"{before}.{key}" if before else key)


def test_the_originals_are_valid(write_recipe: Write) -> None:
    """What is spoilt is whole before: else the tests above would test little."""
    write = files_of(write_recipe)
    for text in originals(RECIPES).values():
        write("r", text)
        assert load("r")
