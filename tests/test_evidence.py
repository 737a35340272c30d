"""A record is evidence: ways to have a wrong result accepted without a word, each tried and each said aloud."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from repro import source
from repro.recipes.load import load
from repro.results.report import report
from repro.results.rows import rows
from repro.results.store import Store
from repro.results.version import version
from tests.conftest import Write, invoke
from tests.test_recipes import GOOD
from tests.test_verdicts import record

CLAIM = "expected:\n- {metric: knn.top1, value: 90, delta: 1, source: {where: x, evidence: code}}\n"


@pytest.fixture
def recorded(write_recipe: Write, project: Path) -> Path:
    """The file of seed 0 of a recipe `r` with two runs at 90 %."""
    write_recipe("r", GOOD + CLAIM)
    now = version(load("r"))
    facts: dict[str, Any] = {"recipe": "r", "hash": now.hash, "components": dict(now.components)}
    store = Store(project / "results")
    paths = [store.save(record(seed=s, metrics={"knn.top1": 90.0 + s / 10}, **facts)) for s in (0, 1)]
    return paths[0]


def table() -> tuple[int, str]:
    """How many runs count in the only row, and what the command prints beside it."""
    done = invoke("table")
    (row,) = json.loads(invoke("table", "--json").stdout)
    return row["n"], done.output


def test_what_is_whole_counts(recorded: Path) -> None:
    assert table()[0] == 2


@pytest.mark.parametrize("copies", [1, 50])
def test_copies_of_a_record_are_no_further_runs(recorded: Path, copies: int) -> None:
    for i in range(copies):
        shutil.copy(recorded, recorded.with_name(f"{recorded.stem}-{i}.json"))
    n, text = table()
    assert n == 2 and f"{recorded.stem}-0.json" in text and "does not count" in text


@pytest.mark.parametrize(
    ("what", "value"), [("metrics", {"knn.top1": 99.0}), ("seed", 7), ("hash", "0" * 64), ("deviations", [])]
)
def test_an_edited_record_does_not_count(recorded: Path, what: str, value: Any) -> None:
    if what == "deviations":
        value = [{"what": "w", "paper": "p", "here": "h", "why": "y"}]
    content = json.loads(recorded.read_text())
    recorded.write_text(json.dumps(content | {what: value}))
    n, text = table()
    assert n == 1 and "damaged or edited" in text


def test_one_bad_record_hides_no_other(recorded: Path) -> None:
    recorded.write_text("{")
    n, text = table()
    assert n == 1 and str(recorded) in text and text.count(str(recorded)) == 1


def test_a_record_takes_in_no_foreign_picture(recorded: Path, tmp_path: Path) -> None:
    store = Store(recorded.parents[2])
    foreign = tmp_path / "foreign.svg"
    foreign.write_text("<svg/>")
    kept = store.load(recorded)
    for name in ("/etc/hostname", str(foreign), "../../foreign.svg", "knn/../../foreign.svg", "knn/x.html"):
        with pytest.raises(ValueError, match="artifacts"):
            type(kept).model_validate(kept.model_dump() | {"artifacts": [name]})
    link = recorded.with_suffix("") / "knn" / "picture.svg"
    link.parent.mkdir(parents=True)
    link.symlink_to(foreign)
    drawn = kept.model_copy(update={"artifacts": ["knn/picture.svg"]})
    recorded.write_text(drawn.to_json())
    assert store.pictures(drawn) == []
    assert "data:image" not in report(rows([load("r")], store), store)


def test_a_recipe_named_twice_counts_once(recorded: Path) -> None:
    done = invoke("compare", "r", "r")
    assert "two different" in str(done.exception)


def test_edited_code_is_noticed(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = source.components
    monkeypatch.setattr(
        source, "components", lambda recipe: real(recipe) | {"repro.methods.supcon": "edited"}
    )
    done = invoke("table")
    assert "stale?" in done.output and "matches" not in done.output.split("Numbers")[0]
    shown = invoke("compare", "r").output
    assert "repro.methods.supcon" in shown and "repro run r --confirm" in shown
