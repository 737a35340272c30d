"""The table says the same in every format."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from repro.recipes.schema import Recipe
from repro.results.formats import duration, number, tabular
from repro.results.store import Store
from repro.results.table import KEYS, render, rows, summary
from tests.test_verdicts import record

RECIPE = Recipe.model_validate(
    {
        "id": "r", "family": "f", "paper": "p", "title": "t", "tier": "cpu",
        "stages": {"s": {"kind": "simplex", "loss": "supcon", "classes": 3, "points": 2, "dim": 2}},
        "expected": [
            {"metric": "s.m", "value": 70, "delta": 1, "unit": "%", "source": {"where": "x", "evidence": "code"}},
            {"metric": "s.m", "at_least": 60, "source": {"where": "x", "evidence": "memory"}},
            {"metric": "s.m", "greater_than": "s.n", "source": {"where": "x", "evidence": "paper"}},
        ],
    }
)  # fmt: skip
DEVIATION = {"what": "declared", "paper": "a|b_c", "here": "all & <more>", "why": "y"}
HUMAN = ["text", "md", "latex", "html"]


def changed(**values: Any) -> Recipe:
    return Recipe.model_validate(RECIPE.model_dump() | values)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    filled = Store(tmp_path)
    for seed, (m, n) in enumerate([(69.9, 60), (70.0, 61), (70.1, 62)]):
        filled.save(record(seed=seed, metrics={"s.m": m, "s.n": n}))
    return filled


def test_rows_carry_the_statement_and_the_measurement(store: Store) -> None:
    value, bound, ordering = rows([(RECIPE, "h")], store)
    assert (value.verdict, value.n, value.expected, value.relation) == ("matches", 3, 70, "equals")
    assert value.mean == pytest.approx(70) and value.sd == pytest.approx(0.1)
    assert (value.verified, bound.verified) == (True, False)
    assert (ordering.expected, ordering.mean) == ("s.n", value.mean)
    assert ordering.judgement and ordering.judgement.difference == pytest.approx(9)
    assert summary([value, bound, ordering]) == (
        "3 expected results: 3 matches; 1 unverified; 2 reproduced (2 of them printed, 0 derived)."
    )


def test_csv_and_json_hold_the_same_numbers(store: Store) -> None:
    table = rows([(RECIPE, "h")], store)
    from_json = json.loads(render(table, "json"))
    from_csv = list(csv.DictReader(io.StringIO(render(table, "csv"))))
    assert [row.json() for row in table] == from_json
    assert KEYS == (
        "recipe", "paper", "tier", "metric", "expected", "unit", "delta", "relation", "evidence", "n", "mean",
        "sd", "low", "high", "verdict", "verified",
    )  # fmt: skip
    for a, b in zip(from_json, from_csv, strict=True):
        assert {k: "" if v is None else str(v) for k, v in a.items()} == b
        assert float(b["mean"]) == a["mean"]


@pytest.mark.parametrize("format_", HUMAN)
def test_people_see_reported_measured_and_doubt(store: Store, format_: str) -> None:
    text = render(rows([(RECIPE, "h")], store), format_)
    text = text.replace(r"$\pm$", "±").replace(r"$\ge$", "≥").replace("&gt;", ">")
    text = text.replace(r"\ensuremath{>}", ">")
    text = re.sub(r"\\([%_])", r"\1", text)
    for words in (
        "= 70 ± 1 %",
        "≥ 60",
        "> s.n",
        "70.00 ± 0.10 (n=3)",
        "difference 9.00",
        "matches",
        "memory ?",
    ):
        assert words in text


@pytest.mark.parametrize("format_", HUMAN)
def test_deviations_stand_below_and_are_numbered_once(store: Store, format_: str) -> None:
    recipe = changed(deviations=[DEVIATION, DEVIATION | {"what": "worse", "disqualifies": True}])
    store.save(
        record(seed=3, metrics={"s.m": 70, "s.n": 60}, deviations=[DEVIATION | {"what": "encountered"}])
    )
    text = render(rows([(recipe, "h")], store), format_)
    assert text.count("1, 2!, 3") == 3 and all(
        text.count(w) == 1 for w in ("declared", "worse", "encountered")
    )
    escaped = {
        "md": r"a\|b_c",
        "latex": r"all \& \ensuremath{<}more\ensuremath{>}",
        "html": "all &amp; &lt;more&gt;",
    }
    assert escaped.get(format_, "all & <more>") in text


def test_cells_that_look_like_numbers_are_wrapped_like_others() -> None:
    table = tabular(("", "paper"), [["1", "100,000"], ["2", "a bc de"]], "text", widths=(None, 7))
    assert [line.split() for line in table.splitlines()[2:]] == [["1", "100,000"], ["2", "a", "bc", "de"]]
    narrow = tabular(("", "paper"), [["2", "a bc de"]], "text", widths=(None, 4))
    assert [line.split() for line in narrow.splitlines()[2:]] == [["2", "a", "bc"], ["de"]]


def test_what_follows_from_theory_is_counted_apart(store: Store) -> None:
    source = {"where": "x", "evidence": "derived", "derivation": "70 = 7 × 10"}
    own = changed(expected=[{"metric": "s.m", "value": 70, "delta": 1, "source": source}])
    assert summary(rows([(own, "h")], store)).endswith("1 reproduced (0 of them printed, 1 derived).")


def test_a_changed_recipe_makes_its_records_stale(store: Store) -> None:
    assert [r.verdict for r in rows([(RECIPE, "other")], store)] == ["stale"] * 3
    assert "3 stale; 1 unverified; 0 reproduced" in render(rows([(RECIPE, "other")], store), "text")


@pytest.mark.parametrize("change", [{"claim": "own"}, {"deviations": [DEVIATION | {"disqualifies": True}]}])
def test_not_every_match_is_a_reproduction(store: Store, change: dict[str, Any]) -> None:
    assert summary(rows([(changed(**change), "h")], store)).endswith("; 0 reproduced.")


def test_a_deviation_met_in_the_run_disqualifies_it(store: Store) -> None:
    met = [DEVIATION | {"disqualifies": True}]
    store.save(record(seed=3, metrics={"s.m": 70, "s.n": 60}, deviations=met))
    assert not any(row.reproduced for row in rows([(RECIPE, "h")], store))


def test_an_undecided_verdict_says_what_would_decide_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed, value in enumerate([70.2, 69.0, 71.3]):
        store.save(record(seed=seed, seconds=163.0, metrics={"s.m": value}))
    assert "undecided (12 more seeds, about 33 min)" in render(rows([(RECIPE, "h")], store))
    single = Store(tmp_path / "single")
    single.save(record(70.4))
    assert "undecided (one run, off by +0.4)" in render(rows([(RECIPE, "h")], single))


def test_what_nobody_reported_is_shown_apart(store: Store) -> None:
    found = rows([(changed(expected=[]), "h")], store)
    assert [(row.metric, row.verdict, row.n) for row in found] == [("s.m", None, 3), ("s.n", None, 3)]
    text = render(found)
    assert "no reported number" in text and "70.000 ± 0.100 (n=3)" in text
    assert json.loads(render(found, "json")) == []


def test_an_empty_table_says_so() -> None:
    assert "No recipe" in render([], "text") and render([], "csv") == ",".join(KEYS)


@pytest.mark.parametrize(
    ("value", "resolution", "text"),
    [
        (76.528, 1, "76.53"),
        (76.528, 0.5, "76.53"),
        (3.6539612, 1e-6, "3.65396120"),
        (1234.6, 100, "1235"),
        (0.123456789, None, "0.123457"),
        (50.0, 0, "50"),
    ],
)
def test_numbers_are_as_fine_as_their_margin(value: float, resolution: float | None, text: str) -> None:
    assert number(value, resolution) == text


@pytest.mark.parametrize(
    ("minutes", "text"), [(0.2, "12 s"), (30, "30 min"), (90, "90 min"), (200, "3 h"), (7200, "5 days")]
)
def test_durations_are_rough(minutes: float, text: str) -> None:
    assert duration(minutes) == text
