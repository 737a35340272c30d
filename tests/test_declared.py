"""What stages declare of themselves is so: metrics against the committed records, splits and references in use."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from repro import components
from repro.options import Ref, StageOptions
from repro.options.refs import mark_of
from repro.results.confirm import RENAMED
from tests.conftest import ROOT

STAGES = ("stages", "experiments")
NAMES = components.names(STAGES)
RECORDS = sorted((ROOT / "results" / "records").glob("*/*.json"))
WITHOUT_METRICS = {"initial"}  # it measures nothing


def renamed(metrics: Iterable[str]) -> set[str]:
    return {RENAMED.get(metric, metric) for metric in metrics}


def options(name: str) -> type[StageOptions]:
    found = components.find(STAGES, name)
    assert issubclass(found, StageOptions)
    return found


def source(name: str) -> str:
    return components.file_of(components.find(STAGES, name)).read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", sorted({path.parent for path in RECORDS}), ids=lambda folder: folder.name)
def test_records_have_the_metrics_that_their_stages_declare(folder: Path) -> None:
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        for name, values in record["resolved"]["stages"].items():
            declared = components.options_for(STAGES, "kind", values)
            assert isinstance(declared, StageOptions)
            given = {m.partition(".")[2] for m in record["metrics"] if m.startswith(f"{name}.")}
            assert renamed(given) == renamed(declared.metrics), (path, name)


@pytest.mark.parametrize("name", NAMES)
def test_every_stage_declares_its_metrics_and_the_splits_that_it_reads(name: str) -> None:
    assert name in WITHOUT_METRICS or options(name).metrics is not StageOptions.metrics
    reads = re.search(r"ctx\.data\(", source(name)) is not None
    assert not reads or options(name).splits is not StageOptions.splits


@pytest.mark.parametrize("name", NAMES)
def test_every_option_that_names_a_stage_is_a_reference(name: str) -> None:
    used = set(re.findall(r"(?:ctx\.of|trained)\((?:ctx, )?(?:self\.options|o)\.(\w+)", source(name)))
    marked = {option for option, field in options(name).model_fields.items() if mark_of(field)}
    assert used <= marked


def test_every_need_is_met_by_some_stage() -> None:
    marks = [mark_of(field) for name in NAMES for field in options(name).model_fields.values()]
    needs = {need for mark in marks if isinstance(mark, Ref) for need in mark.needs}
    left = " ".join(Path(inspect.getfile(options(name))).read_text(encoding="utf-8") for name in NAMES)
    assert needs and all(f'"{need}"' in left for need in needs)
