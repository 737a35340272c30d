"""The choice of results, and their picture."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from repro.errors import UserError
from repro.recipes.load import load
from repro.results.plot import MOST, by_metric, figure, save
from repro.results.rows import Row, rows
from repro.results.statistics import interval
from repro.results.store import Store
from tests.conftest import Write, invoke
from tests.test_recipes import GOOD
from tests.test_report import of
from tests.test_verdicts import record

CLAIM = (
    "expected:\n- {metric: knn.top1, value: 90, delta: 1, unit: '%', source: {where: x, evidence: memory}}\n"
)
SEEDS = {"low": [70.0, 71.0, 72.5], "middle": [80.0, 80.5], "high": [91.5]}


@pytest.fixture
def measured(write_recipe: Write, project: Path) -> Path:
    """A project with three recipes that have runs, one that has none, and a smoke run of another."""
    other = GOOD.replace("dataset: digits", "dataset: cifar10").replace("tier: cpu", "tier: gpu")
    write_recipe("low", GOOD)
    write_recipe("middle", GOOD + CLAIM)
    write_recipe("high", GOOD + CLAIM.replace("value: 90, delta: 1", "at_least: 92"))
    write_recipe("not-run", other + CLAIM)
    write_recipe("smoke", GOOD + CLAIM)
    store = Store(project / "results")
    for name, values in {**SEEDS, "smoke": [5.0]}.items():
        for seed, value in enumerate(values):
            facts = {**of(name), "smoke": name == "smoke"}
            store.save(record(seed=seed, metrics={"knn.top1": value, "pretrain.loss": value / 100}, **facts))
    return project


def found(project: Path) -> list[Row]:
    recipes = [load(name) for name in ("low", "middle", "high", "not-run", "smoke")]
    return rows(recipes, Store(project / "results"))


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--dataset", "cifar10"], {"not-run"}),
        (["--dataset", "digits", "--paper", "khosla2020-supcon"], {"low", "middle", "high", "smoke"}),
        (["--tier", "gpu", "--dataset", "digits"], set()),
        (["--family", "elsewhere"], set()),
        (["--family", "tests"], {"low", "middle", "high", "smoke", "not-run"}),
        (["--paper", "chen2020-simclr"], set()),
    ],
)
def test_list_and_table_choose_alike(measured: Path, arguments: list[str], shown: set[str]) -> None:
    listed = json.loads(invoke("list", "--json", *arguments).stdout)
    assert {row["id"] for row in listed} == shown
    table = json.loads(invoke("table", "--json", *arguments).stdout)
    assert {row["recipe"] for row in table} == shown - {"low"}  # it expects nothing


def test_metrics_are_chosen_by_whole_name_or_by_their_last_part(measured: Path) -> None:
    whole, last = (invoke("table", "--metric", name).stdout for name in ("knn.top1", "top1"))
    assert whole == last and "knn.top1" in whole and "pretrain.loss" not in whole
    both = invoke("table", "--metric", "knn.top1", "--metric", "pretrain.loss").stdout
    assert "knn.top1" in both and "pretrain.loss" in both
    assert json.loads(invoke("table", "--metric", "knn", "--json").stdout) == []


def test_recipes_are_sorted_by_their_means_and_only_comparable_runs_count(measured: Path) -> None:
    panels = by_metric(found(measured))
    assert list(panels) == ["knn.top1", "pretrain.loss"]
    assert list(panels["knn.top1"]) == ["low", "middle", "high"]


def test_the_picture_shows_mean_interval_and_expectation(measured: Path) -> None:
    top1, _ = figure(by_metric(found(measured))).axes
    drawn = [(line.get_marker(), [*line.get_xdata()], {*line.get_ydata()}) for line in top1.get_lines()]
    assert [("o", pytest.approx([v]), {y}) for y, v in enumerate([71.1667, 80.25, 91.5])] == [
        d for d in drawn if d[0] == "o"
    ]
    bars = [d for d in drawn if d[0] == "None"]
    assert bars == [("None", pytest.approx(interval(SEEDS[n])), {y}) for y, n in enumerate(("low", "middle"))]
    assert [d for d in drawn if d[0] in "D<>"] == [("D", [90.0], {1}), (">", [92.0], {2})]
    hollow = [line for line in top1.get_lines() if line.get_marker() in "D<>"]
    assert all(line.get_markerfacecolor() == "none" for line in hollow)
    assert [text.get_text() for text in top1.get_yticklabels()] == ["low", "middle", "high"]
    assert top1.get_xlabel() == "knn.top1 [%]"


def test_an_svg_names_every_recipe_and_is_the_same_again(measured: Path) -> None:
    done = invoke("table", "--plot", "out/a.svg")
    assert done.exit_code == 0 and "4 of 6 results" in done.stdout
    assert invoke("table", "--plot", "b.svg").exit_code == 0
    text = (measured / "out" / "a.svg").read_text()
    assert text == (measured / "b.svg").read_text()
    words = [element.text for element in ElementTree.fromstring(text).iter() if element.text]
    for word in ("low", "middle", "high", "knn.top1 [%]", "pretrain.loss", "mean over seeds", "expected"):
        assert word in words
    assert "smoke" not in words and "not-run" not in words


def test_a_png_is_a_picture(measured: Path) -> None:
    assert invoke("table", "--plot", "a.png", "--metric", "top1").exit_code == 0
    with Image.open(measured / "a.png") as picture:
        assert picture.format == "PNG" and picture.width == 1400


def test_a_plot_that_cannot_be_made_says_why(measured: Path) -> None:
    table = found(measured)
    for name, chosen, words in (("a.jpg", table, "a .png or an .svg"), ("a.svg", [], "nothing to plot")):
        with pytest.raises(UserError, match=words):
            save(chosen, measured / name)
    (measured / "file").touch()
    with pytest.raises(UserError, match="could not be written"):
        save(table, measured / "file" / "a.svg")


def test_a_plot_of_too_many_metrics_is_refused_at_once(measured: Path) -> None:
    store = Store(measured / "results")
    many = {f"knn.top{k}": float(k) for k in range(MOST + 1)}
    store.save(record(seed=9, metrics=many, **of("low")))
    with pytest.raises(UserError, match=rf"of {MOST + 2} metrics.*choose with --metric"):
        save(found(measured), measured / "plot.svg")
    assert not (measured / "plot.svg").exists()
