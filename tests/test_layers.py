"""No module imports, directly or by others, a module that imports it; imports within functions count as well."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (ROOT / "repro").rglob("*.py")
}
GROUND = ("errors", "names", "files", "paths", "keys", "host", "signals")  # what all else stands on


def imported(path: Path) -> Iterator[str]:
    """The modules of the package that a file imports, but for those that only type checkers see."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    unseen = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module


def test_there_is_no_circle_of_imports() -> None:
    graph = {name: {*imported(path)} - {name} for name, path in MODULES.items()}
    assert len(graph) > 500 and graph["repro.engine.fit"] >= {"repro.engine.update", "repro.keys"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("name", GROUND)
def test_the_ground_stands_on_nothing_but_the_ground(name: str) -> None:
    assert {*imported(MODULES[f"repro.{name}"])} <= {"repro", *(f"repro.{n}" for n in GROUND)}


@pytest.mark.parametrize("package", ["data", "views", "options", "methods", "networks", "measures"])
def test_what_the_engine_uses_does_not_know_stages_results_or_commands(package: str) -> None:
    above = ("repro.stages.", "repro.experiments.", "repro.results.", "repro.cli.", "repro.papers.")
    inside = [path for name, path in MODULES.items() if name.startswith(f"repro.{package}.")]
    found = {other for path in inside for other in imported(path) if f"{other}.".startswith(above)}
    assert not found
