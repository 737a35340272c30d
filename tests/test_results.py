"""The committed results: records of real runs with committed code, and a page that is current."""

from __future__ import annotations

import pytest

from repro import paths
from repro.recipes.load import ids
from repro.results.page import all_rows, in_readme, page
from repro.results.store import Store
from repro.results.summary import headline
from tests.conftest import ROOT

RECORDS = Store(paths.results_dir()).all()


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: f"{r.recipe}-{r.seed}")
def test_a_record_is_of_a_real_run_with_committed_code(record) -> None:
    assert record.recipe in ids()
    assert not record.smoke
    assert record.code["commit"] and record.code["dirty"] is False
    assert all(session["code"]["dirty"] is False for session in record.plan["sessions"])
    assert record.components and not any(name.startswith(("/", "..")) for name in record.artifacts)


def test_every_file_of_the_records_counts() -> None:
    store = Store(paths.results_dir())
    assert store.all() and not store.left_out


def test_the_page_is_current() -> None:
    written = (paths.results_dir() / "README.md").read_text(encoding="utf-8")
    assert written == page(), "run `make table`"


def test_the_readme_tells_the_present_results() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert headline(all_rows(Store(paths.results_dir())))[:60] in text.replace("\n", " ")
    assert in_readme(text) == text, "run `make table`"
