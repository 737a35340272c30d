"""The digest of the code behind a result: what computes counts, and what does not, does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from repro import modules, source
from repro.recipes.load import load
from tests.conftest import ROOT

PARTS = "repro.methods.parts"
METHOD = '''\
"""A method."""

from typing import Any

from repro.engine.stage import Stage
from repro.methods.parts.helpers import used
from repro.methods.thing_options import ThingOptions

SCALE = 2.0


class Thing:
    """Says something."""

    Options = ThingOptions

    def loss(self, z: Any) -> Any:
        return used(z) * SCALE  # nats
'''
OPTIONS = """\
from repro.methods.parts.deeper import other


class ThingOptions:
    temperature: float = other(0.1)
"""
HELPERS = """\
from repro.methods.parts import deeper


def used(z):
    from repro.methods.parts.lazy import late

    return late(deeper.step(z))


def unused(z):
    return z
"""
FILES = {
    "methods/thing.py": METHOD,
    "methods/thing_options.py": OPTIONS,
    "methods/parts/helpers.py": HELPERS,
    "methods/parts/deeper.py": "def step(z):\n    return z + 1\n\n\ndef other(z):\n    return z\n",
    "methods/parts/lazy.py": "def late(z):\n    return z\n",
    "engine/stage.py": "class Stage:\n    pass\n",
}
Digests = Callable[[], dict[str, str]]


@pytest.fixture
def digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Digests]:
    """The digests of the class `Thing` in a package made of FILES, read anew at each call."""
    package = tmp_path / "repro"
    for name, text in FILES.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    monkeypatch.setattr(modules, "PACKAGE", package)
    monkeypatch.setattr(source, "_remembered", source._read)

    def forget() -> None:
        for known in (source._digests, source._counts, source._facts):
            known.cache_clear()

    def read() -> dict[str, str]:
        forget()
        return source._digests(frozenset({("repro.methods.thing", "Thing")}))

    yield read
    forget()


def test_what_is_used_is_followed_through_imports(digests: Digests) -> None:
    assert list(digests()) == [f"{PARTS}.deeper", f"{PARTS}.helpers", f"{PARTS}.lazy", "repro.methods.thing"]


@pytest.mark.parametrize(
    ("file", "old", "new", "changes"),
    [
        ("methods/thing.py", "* SCALE", "/ SCALE", ["repro.methods.thing"]),
        ("methods/thing.py", "2.0", "3.0", ["repro.methods.thing"]),
        ("methods/parts/helpers.py", "deeper.step", "deeper.other", [f"{PARTS}.deeper", f"{PARTS}.helpers"]),
        ("methods/parts/deeper.py", "z + 1", "z - 1", [f"{PARTS}.deeper"]),
        ("methods/parts/lazy.py", "return z", "return -z", [f"{PARTS}.lazy"]),
        # what is not used, or does not compute
        ("methods/parts/helpers.py", "return z\n", "return -z\n", []),
        ("methods/parts/deeper.py", "def other(z):\n    return z", "def other(z):\n    return -z", []),
        ("methods/thing.py", "  # nats", "  # in nats", []),
        ("methods/thing.py", "Says something.", "Says something else.", []),
        ("methods/thing.py", "z: Any) -> Any", "z: float) -> float", []),
        ("methods/thing_options.py", "0.1", "0.2", []),  # a default is part of the recipe's hash
        ("methods/thing.py", "    Options = ThingOptions\n\n", "", []),
        ("methods/thing.py", "Options = ThingOptions", "Options: type = ThingOptions", []),
        ("methods/thing.py", "Options = ThingOptions", "class Options:\n        scale: float = other(2.0)", []),
        ("engine/stage.py", "pass", "x = 1", []),
    ],
)  # fmt: skip
def test_only_what_computes_counts(
    digests: Digests, tmp_path: Path, file: str, old: str, new: str, changes: list[str]
) -> None:
    before = digests()
    path = tmp_path / "repro" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert source.changed(before, digests()) == changes


@pytest.mark.parametrize(
    ("imported", "used"),
    [
        ("from repro.methods.parts.deeper import step as go", "go(z)"),
        ("from repro.methods.parts import deeper as d", "d.step(z)"),
        ("import repro.methods.parts.deeper", "repro.methods.parts.deeper.step(z)"),
        ("import repro.methods.parts.deeper as d", "d.step(z)"),
        ("from repro import methods", "methods.parts.deeper.step(z)"),
        ("from . import deeper", "deeper.step(z)"),
        ("from .deeper import step", "step(z)"),
        ("from ..parts.deeper import *", "step(z)"),
        ("from repro.methods.parts.passing import step", "step(z)"),
        ("from repro.methods.parts.passing import renamed", "renamed.step(z)"),
        ("from repro.methods.parts.star import step", "step(z)"),
    ],
)
def test_every_way_of_importing_is_followed(
    digests: Digests, tmp_path: Path, imported: str, used: str
) -> None:
    parts = tmp_path / "repro" / "methods" / "parts"
    (parts / "passing.py").write_text("from .deeper import step\nfrom . import deeper as renamed\n")
    (parts / "star.py").write_text("from .deeper import *\n")
    (parts / "helpers.py").write_text(f"{imported}\n\n\ndef used(z):\n    return {used}\n")
    before = digests()
    (parts / "deeper.py").write_text(FILES["methods/parts/deeper.py"].replace("z + 1", "z - 1"))
    assert source.changed(before, digests()) == [f"{PARTS}.deeper"]


@pytest.mark.parametrize("text", [b"def step(", b"\xff", b"x = '\0'", b""])
def test_a_file_in_the_middle_of_an_edit_is_another(digests: Digests, tmp_path: Path, text: bytes) -> None:
    before = digests()
    (tmp_path / "repro" / "methods" / "parts" / "deeper.py").write_bytes(text)
    assert source.changed(before, digests()) == [f"{PARTS}.deeper"]


def test_a_record_outlasts_the_family_that_a_method_is_filed_under(digests: Digests, tmp_path: Path) -> None:
    before = digests()
    folder = tmp_path / "repro" / "methods"
    (folder / "family").mkdir()
    for name in ("thing.py", "thing_options.py"):
        (folder / name).rename(folder / "family" / name)
    source._counts.cache_clear()
    assert source._digests(frozenset({("repro.methods.family.thing", "Thing")})) == before


def test_modules_of_two_families_have_different_names_in_a_record() -> None:
    found = [
        source._in_records(modules.name_of(path)) for path in modules.PACKAGE.rglob("*.py")
        if path.stem != "__init__"
    ]  # fmt: skip
    assert len(found) == len(set(found))


def test_every_component_of_a_recipe_counts() -> None:
    found = source.components(load("moco-cifar10-mini"))
    for module in ("methods.moco", "methods.parts.memory", "networks.resnet_cifar", "networks.heads.mlp"):
        assert f"repro.{module}" in found
    for module in ("stages.train", "stages.knn", "engine.fit", "engine.update", "views.augment"):
        assert f"repro.{module}" in found
    assert not any(m.startswith(("repro.results", "repro.cli", "repro.engine.run")) for m in found)


def test_every_module_of_the_engine_is_either_counted_or_known_to_carry_only() -> None:
    """A new one has to be decided about: does it compute, or only carry the work?"""
    carrying = {
        "abandon", "allocation", "artifacts", "blank", "budget", "checkpoint", "compiling", "describe", "find",
        "finish", "launch", "loop", "memory", "outlook", "ready", "rehearse", "replicas", "room", "run", "session",
        "setup", "signature", "sizes", "stage", "state",
    }  # fmt: skip
    modules = {path.stem for path in (ROOT / "repro" / "engine").glob("[a-z]*.py")}
    assert modules == carrying | set(source.ENGINE)
