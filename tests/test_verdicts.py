"""Verdicts on cases worked by hand, in simulated runs, and under what must not matter; the records behind them."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.errors import UserError
from repro.recipes.schema import Expected
from repro.results.compare import differences, render
from repro.results.record import Record
from repro.results.statistics import equivalence_power
from repro.results.store import Store
from repro.results.verdict import judge
from repro.results.version import Version

NOW = Version("h")
SOURCE = {"where": "Table 1", "evidence": "paper"}


def record(value: float | None = None, seed: int = 0, **changes: Any) -> Record:
    facts = {
        "recipe": "r", "paper": "p", "hash": "h", "seed": seed, "resolved": {}, "curves": {}, "stages": {},
        "plan": {}, "hardware": {}, "packages": {}, "code": {}, "precision": "fp32", "device": "cpu",
        "started": "", "finished": "", "seconds": 120.0,
        "metrics": {} if value is None else {"s.m": value},
    }  # fmt: skip
    return Record.model_validate({**facts, **changes})


def records(*values: float) -> list[Record]:
    return [record(value, seed) for seed, value in enumerate(values)]


def pairs(*values: tuple[float, float]) -> list[Record]:
    return [record(seed=seed, metrics={"s.m": a, "s.other": b}) for seed, (a, b) in enumerate(values)]


def expected(**statement: Any) -> Expected:
    return Expected.model_validate({"metric": "s.m", "source": SOURCE, **statement})


def verdict(statement: Expected, runs: list[Record]) -> str:
    return judge(statement, runs, NOW).verdict


ABOUT_70 = expected(value=70, delta=1)


@pytest.mark.parametrize(
    ("values", "statement", "outcome"),
    [
        # mean 70.0, sd 0.1, n 3: 90 % interval ± 2.920 · 0.1/√3 = ± 0.17
        ((69.9, 70.0, 70.1), ABOUT_70, "matches"),
        # mean 70.9: [70.73, 71.07] straddles 71
        ((70.8, 70.9, 71.0), ABOUT_70, "undecided"),
        ((69.0, 69.1, 69.2), ABOUT_70, "undecided"),
        ((71.9, 72.0, 72.1), ABOUT_70, "better"),
        ((67.9, 68.0, 68.1), ABOUT_70, "differs"),
        ((67.9, 68.0, 68.1), expected(value=70, delta=1, better="lower"), "better"),
        ((71.9, 72.0, 72.1), expected(value=70, delta=1, better="lower"), "differs"),
        ((65.0, 75.0), ABOUT_70, "undecided"),
        # equal runs make a point; an end exactly on the margin is inside, also when decimals round
        ((71.0, 71.0), ABOUT_70, "matches"),
        ((69.0, 69.0), ABOUT_70, "matches"),
        ((0.8, 0.8), expected(value=0.7, delta=0.1), "matches"),
        ((71.01, 71.01), ABOUT_70, "better"),
        ((70.0, 70.0), expected(value=70, delta=0), "matches"),
        # a single run: ± 1.645 sd
        ((70.0,), ABOUT_70, "undecided"),
        ((70.0,), expected(value=70, delta=1, sd=0.3), "matches"),
        ((70.0,), expected(value=70, delta=1, sd=0.7), "undecided"),
        ((68.0,), expected(value=70, delta=1, sd=0.3), "differs"),
        ((1.0000004,), expected(value=1, delta=1e-6, exact=True), "matches"),
        ((1.0000004, 1.000002), expected(value=1, delta=1e-6, exact=True), "differs"),
        ((1.0, 1.0), expected(value=1, delta=0, exact=True), "matches"),
        # exact: of each run, whatever their spread
        ((9.0,), expected(at_least=8, exact=True), "matches"),
        ((8.0, 30.0), expected(at_least=8, exact=True), "matches"),
        ((30.0, 7.9), expected(at_least=8, exact=True), "differs"),
        ((30.0, 7.9), expected(at_least=8, delta=0.1, exact=True), "matches"),
        ((-30.0, 8.0), expected(at_most=8, exact=True), "matches"),
        ((8.1,), expected(at_most=8, exact=True), "differs"),
        ((8.1, 8.2, 8.3), expected(at_least=8), "matches"),  # 8.2 − 0.17 = 8.03
        ((8.0, 8.1, 8.2), expected(at_least=8), "undecided"),
        ((7.0, 7.1, 7.2), expected(at_least=8), "differs"),
        ((8.0, 8.0), expected(at_least=8), "matches"),
        ((7.0, 7.1, 7.2), expected(at_most=8), "matches"),
        ((7.8, 7.9, 8.0), expected(at_most=8), "undecided"),
        ((9.0, 9.1, 9.2), expected(at_most=8), "differs"),
        ((8.0, 8.0), expected(at_most=8), "matches"),
        ((9.0,), expected(at_least=8), "undecided"),
        ((9.0,), expected(at_least=8, sd=0.5), "matches"),  # 9 − 0.82 = 8.18
    ],
)
def test_cases_worked_by_hand(values: tuple[float, ...], statement: Expected, outcome: str) -> None:
    assert verdict(statement, records(*values)) == outcome


@pytest.mark.parametrize(
    ("runs", "margin", "outcome"),
    [
        (pairs((30, 20), (32, 21), (31, 22)), None, "matches"),  # differences 10, 11, 9
        (pairs((30, 20), (32, 21), (31, 22)), 8, "matches"),  # 10 − 1.69 > 8
        (pairs((30, 20), (32, 21), (31, 22)), 9.5, "undecided"),  # 10 − 1.69 < 9.5 < 10 + 1.69
        (pairs((20, 30), (21, 32), (22, 31)), None, "differs"),
        (pairs((20, 30), (30, 20)), None, "undecided"),
        (pairs((30, 20)), None, "undecided"),
        (pairs((30, 30), (20, 20)), None, "differs"),  # equal is not greater
    ],
)
def test_orderings_compare_seed_by_seed(runs: list[Record], margin: float | None, outcome: str) -> None:
    assert verdict(expected(greater_than="s.other", delta=margin), runs) == outcome


@pytest.mark.parametrize(
    ("runs", "outcome"),
    [
        (pairs((30, 20)), "matches"),
        (pairs((30, 20), (21, 20)), "matches"),
        (pairs((30, 20), (20, 20)), "differs"),
    ],
)
def test_an_exact_ordering_holds_in_every_run(runs: list[Record], outcome: str) -> None:
    assert verdict(expected(greater_than="s.other", exact=True), runs) == outcome


def test_nothing_comparable_has_a_name() -> None:
    stale, smoke, other = record(70, hash="old"), record(70, smoke=True), record(70, overrides=["a=1"])
    assert verdict(ABOUT_70, []) == "missing"
    assert verdict(ABOUT_70, [stale]) == "stale"
    assert verdict(ABOUT_70, [smoke]) == "not comparable"
    assert verdict(ABOUT_70, [record(70, hash="new", overrides=["a=1"])]) == "not comparable"
    assert verdict(ABOUT_70, [record(70, hash="new", overrides=["a=1"]), stale]) == "stale"
    assert verdict(ABOUT_70, [stale, other]) == "not comparable"  # what was asked for was run, with changes
    assert verdict(ABOUT_70, [smoke, *records(70, 70)]) == "matches"
    lacking = judge(ABOUT_70, [record(metrics={"s.x": 1.0})], NOW)
    assert lacking.verdict == "missing" and "s.m" in lacking.reason and "s.x" in lacking.reason


def test_a_run_that_is_not_comparable_is_still_shown() -> None:
    judgement = judge(ABOUT_70, [record(70, overrides=["a=1"])], NOW)
    assert (judgement.verdict, judgement.n, judgement.mean) == ("not comparable", 1, 70)


def test_a_run_without_the_metric_does_not_count() -> None:
    assert judge(ABOUT_70, [*records(70, 70), record(None, 2)], NOW).n == 2


def test_a_judgement_shows_its_numbers() -> None:
    judgement = judge(ABOUT_70, records(69.9, 70.0, 70.1), NOW)
    numbers = (judgement.mean, judgement.sd, judgement.low, judgement.high, judgement.difference)
    assert numbers == pytest.approx((70, 0.1, 69.8314, 70.1686, 0), abs=1e-4)
    assert judgement.more_seeds is None and "wholly within ±1" in judgement.reason


def test_an_undecided_case_says_what_it_needs() -> None:
    judgement = judge(ABOUT_70, records(70.2, 69.0, 71.3), NOW)
    assert judgement.more_seeds == 15 - 3  # 15 runs have a power of 80 %, by SciPy's integral; there are 3
    assert judgement.more_minutes == pytest.approx(judgement.more_seeds * 2)
    hopeless = judge(ABOUT_70, records(70.9, 71.0, 71.1), NOW)
    assert hopeless.verdict == "undecided" and hopeless.more_seeds is None
    single = judge(ABOUT_70, records(70.4), NOW)
    assert single.difference == pytest.approx(0.4) and "+0.4" in single.reason and single.low is None


def simulated(mean: float, sd: float, n: int, trials: int) -> dict[str, float]:
    rng, counts = random.Random(n), dict.fromkeys(("matches", "better", "differs", "undecided"), 0)
    for _ in range(trials):
        counts[verdict(ABOUT_70, records(*(rng.gauss(mean, sd) for _ in range(n))))] += 1
    return {name: count / trials for name, count in counts.items()}


@pytest.mark.parametrize(("n", "sd"), [(2, 0.3), (3, 0.3), (5, 0.6)])
def test_error_rates_are_five_percent(n: int, sd: float) -> None:
    """A true difference of exactly the margin is wrongly called a match, or a difference, in 5 % of cases."""
    trials = 2000
    shares, error = simulated(71, sd, n, trials), 4 * (0.05 * 0.95 / trials) ** 0.5
    assert shares["matches"] <= 0.05 + error
    assert shares["better"] + shares["differs"] == pytest.approx(0.05, abs=error)


@pytest.mark.parametrize(("n", "sd"), [(2, 0.2), (3, 0.3), (5, 0.6)])
def test_equal_runs_match_as_often_as_the_power_says(n: int, sd: float) -> None:
    trials = 2000
    shares = simulated(70, sd, n, trials)
    assert shares["matches"] == pytest.approx(equivalence_power(n, sd, 0, 1), abs=4 * (0.25 / trials) ** 0.5)
    assert shares["better"] + shares["differs"] <= 0.05


# Quarters, whole shifts and powers of two: exact in floating point, so that no margin is met by rounding alone.
quarters = st.integers(-40, 40).map(lambda q: 70 + q / 4)


@settings(max_examples=60, deadline=None)
@given(st.lists(quarters, min_size=1, max_size=5), st.integers(-500, 500), st.sampled_from([0.25, 1, 8]))
def test_units_and_origin_do_not_matter(values: list[float], shift: int, scale: float) -> None:
    moved = expected(value=(70 + shift) * scale, delta=scale)
    there = judge(moved, records(*((v + shift) * scale for v in values)), NOW)
    here = judge(ABOUT_70, records(*values), NOW)
    assert (there.verdict, there.more_seeds) == (here.verdict, here.more_seeds)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(60, 80), min_size=1, max_size=5), st.randoms())
def test_order_and_records_that_do_not_count_do_not_matter(values: list[float], rng: random.Random) -> None:
    others = [record(0, 9, hash="old"), record(0, 8, overrides=["x=1"]), record(0, 7, smoke=True)]
    shuffled = records(*values) + others
    rng.shuffle(shuffled)
    assert judge(ABOUT_70, shuffled, NOW) == judge(ABOUT_70, records(*values), NOW)


def test_a_record_survives_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept = record(0.1 + 0.2, seed=3, curves={"s": [{"step": 1, "loss": 2.5}]}, hash="0123456789abcdef")
    path = store.save(kept)
    assert path == tmp_path / "records" / "r" / "0123456789ab-seed3.json"
    assert store.load(path) == kept
    assert store.of("r") == store.all() == [kept.model_copy(update={"curves": {}})]
    assert store.of("unknown") == []
    store.save(kept.model_copy(update={"metrics": {"s.m": 1.0}}))
    assert [r.metrics for r in store.of("r")] == [{"s.m": 1.0}]
    assert [store.load(path) for path in store.earlier("r")] == [kept]  # records are never deleted


def test_a_record_in_another_layout_is_read_all_the_same(tmp_path: Path) -> None:
    path = Store(tmp_path).save(record(1, curves={"s": [{"loss": 2.5}]}))
    for indent in (None, 0, 2):
        path.write_text(json.dumps(json.loads(path.read_text()), indent=indent))
        assert Store(tmp_path).of("r")[0].metrics == {"s.m": 1}


def test_a_record_cut_short_is_found_out(tmp_path: Path) -> None:
    path = Store(tmp_path).save(record(1, curves={"s": [{"loss": 2.5}]}))
    whole = path.read_bytes()
    for length in range(len(whole) - 1):  # the last byte is a line break
        path.write_bytes(whole[:length])
        store = Store(tmp_path)
        assert store.of("r") == [] and "not a record" in store.left_out[path]


def test_a_record_is_strict_json(tmp_path: Path) -> None:
    path = Store(tmp_path).save(record(1, curves={"s": [{"loss": float("nan")}]}))
    content = json.loads(path.read_text(), parse_constant=lambda word: pytest.fail(word))
    assert content["curves"] == {"s": [{"loss": None}]} and content["format"] == 2


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"recipe": 3}',
        record(1).to_json().replace('"format": 2', '"format": 1'),
        "\0",
        "[" * 100_000,
    ],
)
def test_a_file_that_is_no_record_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "records" / "r" / "x.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    Store(tmp_path).save(record(1))
    store = Store(tmp_path)
    assert store.of("r") == [record(1)]  # the others are read all the same
    assert re.search(r"x\.json is not a record.*restore the file", store.left_out[path])


def test_a_record_in_the_wrong_folder_is_not_taken_for_another_recipes(tmp_path: Path) -> None:
    path = Store(tmp_path).save(record(1))
    path.parent.rename(path.parent.with_name("q"))
    store = Store(tmp_path)
    assert store.of("q") == []
    assert "is a record of `r`" in store.left_out[tmp_path / "records" / "q" / path.name]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.json cannot be read"):
        Store(tmp_path).load(tmp_path / "none.json")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_metric_that_is_not_finite_is_no_result(value: float) -> None:
    with pytest.raises(UserError, match=r"`s\.m` is (nan|inf): the run is not a result"):
        record(value)


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    path = store.save(record(1))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match=r"seed0\.json.*No space left on device"):
        store.save(record(2))
    assert store.of("r") == [record(1)] and [p for p in path.parent.rglob("*") if p.is_file()] == [path]


def test_comparisons_pair_by_seed_when_they_can() -> None:
    a, b = records(10, 20, 30), records(9, 18.5, 29.5)
    (paired,) = differences({"a": a, "b": b})
    assert (paired.how, paired.difference) == ("paired", 1.0)
    # the differences 1, 1.5, 0.5 spread twenty times less than the seeds
    assert (paired.low, paired.high) == pytest.approx((1 - 0.843, 1 + 0.843), abs=1e-3)
    (welch,) = differences({"a": a, "b": b[:2]})
    assert welch.how == "welch" and welch.low is not None and welch.low < 0
    (single,) = differences({"a": a[:1], "b": b[1:2]})
    assert (single.how, single.low) == ("single", None)
    assert "1.00 ± 0.84" in render([paired]) and "paired" in render([paired])
    assert json.loads(render([paired], "json"))[0]["difference"] == 1.0


def test_every_two_groups_are_compared() -> None:
    found = differences({"a": records(1, 2), "b": records(2, 3), "c": pairs((3, 0), (4, 0))})
    assert [(d.first, d.second, d.metric) for d in found] == [
        ("a", "b", "s.m"), ("a", "c", "s.m"), ("b", "c", "s.m"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ({"a": records(1)}, "at least two"),
        ({"a": records(1), "b": []}, "`b` has no comparable record"),
        ({"a": records(1), "b": [record(metrics={"s.x": 1.0})]}, "no metric in common"),
    ],
)
def test_what_cannot_be_compared_is_said(groups: dict[str, list[Record]], words: str) -> None:
    with pytest.raises(UserError, match=words):
        differences(groups)
