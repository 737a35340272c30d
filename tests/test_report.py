"""The report for people, and the pictures that records keep."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from repro import pictures
from repro.errors import UserError
from repro.recipes.load import load
from repro.results.page import all_rows, unmatched
from repro.results.report import report
from repro.results.store import Store
from repro.results.version import version
from tests.conftest import Write, invoke
from tests.test_recipes import GOOD
from tests.test_verdicts import record

NAME = "fit/the_curve.svg"


def of(name: str) -> dict[str, Any]:
    """What a record of the recipe as it stands says of it."""
    now = version(load(name))
    return {"recipe": name, "hash": now.hash, "components": dict(now.components)}


@pytest.fixture
def drawn(write_recipe: Write, project: Path, tmp_path: Path) -> Store:
    """A store with two seeds of one recipe, each with its picture, and a recipe that has not run."""
    write_recipe("ran", GOOD + "notes: One & only <note>.\n")
    write_recipe("not-run", GOOD.replace("dataset: digits", "dataset: cifar10"))
    store, folder = Store(project / "results"), tmp_path / "run"
    for seed in (0, 1):
        (folder / "fit").mkdir(parents=True, exist_ok=True)
        pictures.plot(folder / NAME, {f"seed {seed}": ([1, 2], [3, 4])}, "step", "loss", {"theory": 3.5})
        facts = {**of("ran"), "artifacts": [NAME], "seconds": 90.0}
        store.save(record(seed=seed, metrics={"knn.top1": 50.0 + seed}, **facts), folder)
    return store


def test_pictures_are_kept_beside_their_record(drawn: Store) -> None:
    for seed, one in enumerate(drawn.of("ran")):
        (path,) = drawn.pictures(one)
        assert path.parent.parent == drawn.path("ran", one.hash, seed).with_suffix("")
        assert f"seed {seed}" in path.read_text()


def test_a_picture_that_is_gone_is_left_out(drawn: Store) -> None:
    one = drawn.of("ran")[0]
    drawn.pictures(one)[0].unlink()
    assert drawn.pictures(one) == []
    assert "data:image" not in report(all_rows(drawn), drawn)


def test_a_missing_picture_fails_before_the_record_is_written(drawn: Store, tmp_path: Path) -> None:
    new = record(seed=7, metrics={"knn.top1": 1.0}, recipe="ran", artifacts=["fit/none.png"])
    with pytest.raises(UserError, match=r"none\.png could not be copied"):
        drawn.save(new, tmp_path)
    assert not drawn.path("ran", new.hash, 7).exists()


def test_the_report_shows_what_ran_with_cost_notes_and_picture(drawn: Store) -> None:
    html = report(all_rows(drawn), drawn)
    assert "2 runs, 3 min" in html and "One &amp; only &lt;note&gt;." in html and "the curve" in html
    assert '<section id="ran">' in html and '<section id="not-run">' not in html
    (encoded,) = re.findall(r"data:image/svg\+xml;base64,([^\"]+)", html)
    assert base64.b64decode(encoded) == drawn.pictures(drawn.of("ran")[0])[0].read_bytes()


def test_the_page_tells_of_what_does_not_match(write_recipe: Write, project: Path) -> None:
    claim = "expected:\n- {metric: knn.top1, value: 90, delta: 1, source: {where: x, evidence: code}}\n"
    write_recipe("far", GOOD + claim + "notes: Why it is far.\n")
    write_recipe("near", GOOD + claim + "notes: Near enough.\n")
    write_recipe("torn", GOOD + claim + "notes: On the border.\n")
    for seed in range(3):
        for name, value in (("far", 50.0), ("near", 90.0), ("torn", 90.9)):
            one = record(seed=seed, metrics={"knn.top1": value + seed / 10}, **of(name))
            Store(project / "results").save(one)
    told = unmatched(all_rows(Store(project / "results"))).split("\n\n")
    assert told == [
        "**far** (differs: `knn.top1`). Why it is far.",
        "**torn** (undecided: `knn.top1`). On the border.",
    ]


def test_the_command_prints_the_report(drawn: Store) -> None:
    done = invoke("table", "--format", "html")
    assert done.exit_code == 0 and done.output.startswith("<!DOCTYPE html>")
    assert done.output.strip().endswith("</html>")


def test_a_plot_is_the_same_every_time_and_names_what_it_shows(tmp_path: Path) -> None:
    line = {"loss": ([1, 10, 100], [1.0, 0.1, 0.01])}
    theory = {"bound": ([1, 100], [1.0, 0.01]), "limit": 0.01}
    first, second = (
        pictures.plot(tmp_path / name, line, "step", "loss", theory, log="xy").read_text()
        for name in ("a.svg", "b.svg")
    )
    assert first == second
    assert all(word in first for word in ("loss", "bound", "limit", "step"))
