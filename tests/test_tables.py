"""The table says the same in every format."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import scipy.stats

from repro.recipes.load import load
from repro.recipes.schema import Recipe
from repro.results.formats import duration, number, tabular
from repro.results.multiplicity import corrected, false_discovery_rate, holm
from repro.results.record import Record
from repro.results.rows import KEYS, by_stage, rows
from repro.results.store import Store
from repro.results.summary import headline, summary
from repro.results.table import render
from repro.results.version import current, version
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


NOW = version(RECIPE)


def run(m: float, seed: int = 0, recipe: Recipe = RECIPE, **facts: Any) -> Record:
    """A record of the recipe as it stands."""
    now = version(recipe)
    given = {"hash": now.hash, "components": dict(now.components), "metrics": {"s.m": m}}
    return record(seed=seed, **(given | facts))


def changed(**values: Any) -> Recipe:
    return Recipe.model_validate(RECIPE.model_dump() | values)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    filled = Store(tmp_path)
    for seed, (m, n) in enumerate([(69.9, 60), (70.0, 61), (70.1, 62)]):
        filled.save(run(m, seed, metrics={"s.m": m, "s.n": n}))
    return filled


def test_rows_carry_the_statement_and_the_measurement(store: Store) -> None:
    value, bound, ordering = rows([RECIPE], store)
    assert (value.verdict, value.n, value.expected, value.relation) == ("matches", 3, 70, "equals")
    assert value.mean == pytest.approx(70) and value.sd == pytest.approx(0.1)
    assert (value.verified, bound.verified) == (True, False)
    assert (ordering.expected, ordering.mean) == ("s.n", value.mean)
    assert ordering.judgement and ordering.judgement.difference == pytest.approx(9)
    assert summary([value, bound, ordering]) == (
        "Numbers that papers print, by computation: 1 (1 matches). "
        "Directions that papers state: 2 (2 matches; 1 unverified). 2 of the papers' own are reproduced. "
        "3 of these verdicts rest on a test at 5% (3 matches, 0 mismatches): chance alone could give up to 0 of "
        "the matches, were nothing true, and up to 0 of the mismatches, were all true; "
        "`repro table --correction holm` or `fdr` takes all tests together."
    )


def test_csv_and_json_hold_the_same_numbers(store: Store) -> None:
    table = rows([RECIPE], store)
    from_json = json.loads(render(table, "json"))
    from_csv = list(csv.DictReader(io.StringIO(render(table, "csv"))))
    assert [row.json() for row in table] == from_json
    assert KEYS == (
        "recipe", "paper", "tier", "metric", "expected", "unit", "delta", "relation", "evidence", "kind", "of",
        "role", "by", "n", "mean", "sd", "low", "high", "verdict", "verified", "reproduced",
    )  # fmt: skip
    for a, b in zip(from_json, from_csv, strict=True):
        assert {k: "" if v is None else str(v) for k, v in a.items()} == b
        assert float(b["mean"]) == a["mean"]


@pytest.mark.parametrize("format_", HUMAN)
def test_people_see_reported_measured_and_doubt(store: Store, format_: str) -> None:
    text = render(rows([RECIPE], store), format_)
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
    store.save(run(70, 3, metrics={"s.m": 70, "s.n": 60}, deviations=[DEVIATION | {"what": "encountered"}]))
    text = render(rows([recipe], store), format_)
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


def test_kinds_are_never_added_up(store: Store) -> None:
    source = {"where": "x", "evidence": "derived", "derivation": "70 = 7 × 10"}
    theory = {"metric": "s.m", "value": 70, "delta": 1, "source": source}
    number = {"metric": "s.m", "value": 70, "delta": 1, "source": {"where": "x", "evidence": "paper"}}
    another = number | {"source": number["source"] | {"of": "lightly"}}
    row, own, third = rows([changed(expected=[theory, number, another])], store)
    assert [r.kind for r in (row, own, third)] == ["theory", "number", "number"]
    assert [r.of for r in (row, own, third)] == ["paper", "paper", "lightly"]
    assert [r.reproduced for r in (row, own, third)] == [False, True, False]
    text = summary([row, own, third])
    assert (
        "Theory, which tests this code: 1 (1 matches)." in text and "own experiments: 1 (1 matches)." in text
    )


def test_a_theorem_that_the_paper_prints_is_theory_and_a_bound_is_no_number() -> None:
    printed = {
        "metric": "s.m",
        "at_least": 60,
        "kind": "theory",
        "source": {"where": "x", "evidence": "paper"},
    }
    assert changed(expected=[printed]).expected[0].what == "theory"
    with pytest.raises(ValueError, match="does not fit `at_least`"):
        changed(expected=[printed | {"kind": "number"}])


def test_the_headline_says_what_no_run_has_shown(store: Store) -> None:
    computed = rows([RECIPE], store)
    assert headline(computed) == (
        "No number that a paper prints for its own method has yet been met here by training a network."
    )
    by_hand = changed(expected=[RECIPE.expected[0].model_dump() | {"by": "training"}])
    assert headline(rows([by_hand], store)) == (
        "Printed numbers for a paper's own method met here by training: 1, of 1 paper."
    )
    baseline = changed(expected=[RECIPE.expected[0].model_dump() | {"by": "training", "role": "baseline"}])
    assert headline(rows([baseline], store)).startswith("No number")


def test_training_is_told_from_computation_along_the_stages() -> None:
    assert by_stage(RECIPE, "s.m") == "computation"
    assert by_stage(load("simclr-cifar10"), "pretrain.loss") == "training"
    mini = load("simclr-cifar10-mini")
    assert [by_stage(mini, f"{name}.top1") for name in mini.stages] == ["training"] * len(mini.stages)


def test_a_changed_recipe_makes_its_records_stale(store: Store) -> None:
    longer = changed(stages={"s": {**RECIPE.model_dump()["stages"]["s"], "points": 3}})
    assert [r.verdict for r in rows([longer], store)] == ["stale"] * 3
    assert "(1 stale)" in summary(rows([longer], store))


def test_changed_code_makes_records_doubtful_until_a_run_confirms_it(tmp_path: Path) -> None:
    old = {**NOW.components, "repro.experiments.simplex": "another"}
    store = Store(tmp_path)
    for seed in (0, 1, 2):
        store.save(run(70, seed, components=old))
    row = rows([RECIPE], store)[0]
    assert (row.verdict, row.n, row.reproduced) == ("stale?", 3, False)
    assert "repro.experiments.simplex" in row.judgement.reason and "--confirm" in row.judgement.reason
    earlier = store.of("r")[0]
    confirms = [{"code": earlier.code_digest, "finished": "", "difference": 1e-9}]
    store.save(run(70, 0, confirms=confirms))
    row = rows([RECIPE], store)[0]
    assert (row.verdict, row.n, row.judgement.confirmed) == ("matches", 3, 2)
    assert "2 by confirmed earlier code" in render([row])
    assert len(store.earlier("r")) == 1  # nothing is lost


def test_runs_of_the_present_code_alone_count_where_it_is_not_confirmed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(run(70, 0, components={"repro.experiments.simplex": "another"}))
    store.save(run(60, 1))
    assert [r.seed for r in current(store.of("r"), NOW)] == [1]


@pytest.mark.parametrize("change", [{"claim": "own"}, {"deviations": [DEVIATION | {"disqualifies": True}]}])
def test_not_every_match_is_a_reproduction(store: Store, change: dict[str, Any]) -> None:
    assert not any(row.reproduced for row in rows([changed(**change)], store))


def test_corrections_agree_with_scipy_and_with_the_definition() -> None:
    p = [0.01, 0.04, 0.03, 0.2, 0.001, 0.6]
    assert false_discovery_rate(p) == pytest.approx(scipy.stats.false_discovery_control(p))
    by_hand = {0.001: 0.006, 0.01: 0.05, 0.03: 0.12, 0.04: 0.12, 0.2: 0.4, 0.6: 0.6}
    assert holm(p) == pytest.approx([by_hand[x] for x in p])
    assert holm([]) == false_discovery_rate([]) == []


def test_a_verdict_that_does_not_survive_the_correction_is_undecided(tmp_path: Path) -> None:
    store = Store(tmp_path)
    statement = RECIPE.model_dump()["expected"][0]
    recipe = changed(expected=[statement] + [statement | {"value": 80}] * 9)
    for seed, value in enumerate([69.5, 70.0, 70.6]):
        store.save(run(value, seed, recipe))
    found = rows([recipe], store)
    assert found[0].verdict == "matches" and found[0].judgement.p_matches > 0.005
    after = corrected(found, "holm")
    assert (after[0].verdict, after[0].reproduced) == ("undecided", False)
    assert {row.verdict for row in after[1:]} == {"differs"}  # these are far off


def test_a_deviation_met_in_the_run_disqualifies_it(store: Store) -> None:
    met = [DEVIATION | {"disqualifies": True}]
    store.save(run(70, 3, metrics={"s.m": 70, "s.n": 60}, deviations=met))
    assert not any(row.reproduced for row in rows([RECIPE], store))


def test_an_undecided_verdict_says_what_would_decide_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed, value in enumerate([70.2, 69.0, 71.3]):
        store.save(run(value, seed, seconds=163.0))
    assert "undecided (12 more seeds, about 33 min)" in render(rows([RECIPE], store))
    single = Store(tmp_path / "single")
    single.save(run(70.4))
    assert "undecided (one run, off by +0.4)" in render(rows([RECIPE], single))


def test_what_nobody_reported_is_shown_apart(store: Store) -> None:
    found = rows([changed(expected=[])], store)
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
