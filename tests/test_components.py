"""How components are found: in the package, in installed ones, and in the project's own folder."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro import components, modules, source
from repro.components import FOLDERS
from repro.errors import UserError
from repro.recipes.load import load
from tests.conftest import ROOT, Write, invoke, repro

STAGES = ("stages", "experiments")
HEAD = "paper: khosla2020-supcon\ntitle: t\ntier: cpu\nstages: {s: {kind: mine}}\n"
ONE_FILE = """\
from typing import ClassVar

from repro.engine.stage import Outcome, Stage
from repro.options import StageOptions


class Mine(Stage):
    class Options(StageOptions):
        metrics: ClassVar = ("x",)
        value: float = 2.0

    def run(self, ctx):
        return Outcome({"x": self.options.value})
"""
OPTIONS = """\
from typing import ClassVar

from repro.options import StageOptions


class MineOptions(StageOptions):
    metrics: ClassVar = ("x",)
    value: float = 2.0
"""
PAIR = """\
from repro.engine.stage import Outcome, Stage

from ..parts.numbers import doubled
from components.stages.mine_options import MineOptions


class Mine(Stage):
    Options = MineOptions

    def run(self, ctx):
        return Outcome({"x": doubled(self.options.value)})
"""
NUMBERS = "def doubled(x):\n    return 2 * x\n\n\ndef unused(x):\n    return x\n"


class Own:
    """The folder `components/` of a project."""

    def __init__(self, folder: Path):
        self.folder = folder

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        forget()
        return path


def forget() -> None:
    for known in (components._below, components._declared, modules._installed):
        known.cache_clear()
    for kept in (source._counts, source._digests, source._facts):
        kept.cache_clear()
    for name in [n for n in sys.modules if n.split(".")[0] in ("components", "extra_parts")]:
        del sys.modules[name]


@pytest.fixture
def own(project: Path) -> Iterator[Own]:
    forget()
    yield Own(project / "components")
    forget()


# ---- built-in components


@pytest.mark.parametrize("folders", FOLDERS)
def test_the_options_that_are_checked_are_those_that_run(folders: tuple[str, ...]) -> None:
    for name in components.names(folders):
        assert components.load(folders, name).Options is components.find(folders, name), name


def test_no_built_in_component_needs_torch_for_its_options() -> None:
    code = (
        "import sys; from repro import components\n"
        "assert sum(len(components.names(f)) for f in components.FOLDERS) > 80\n"
        "assert not [*components.faults()]\n"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_every_built_in_component_has_its_options_in_a_file_of_their_own() -> None:
    """Whatever has `Options` is found; that of the protocols `Stage` and `Method` is the default of all."""
    with_options = {
        path.with_suffix("").relative_to(modules.PACKAGE)
        for path in modules.PACKAGE.rglob("*.py")
        if "\n    Options = " in path.read_text(encoding="utf-8")
        or "class Options(" in path.read_text(encoding="utf-8").replace("class Options(BaseModel)", "")
    }
    found = {
        components.file_of(components.find(folders, name)).with_suffix("").relative_to(modules.PACKAGE)
        for folders in FOLDERS
        for name in components.names(folders)
    }
    assert with_options == found


def test_a_family_in_one_file_has_the_names_that_its_options_give() -> None:
    small, other = (components.find(("networks",), name) for name in ("resnet8", "resnet110"))
    assert small is other and "resnet8" in components.names(("networks",))
    assert components.find(("networks",), "resnet18") is not small


def test_what_is_no_component_is_not_found() -> None:
    found = components.names(("methods",)) + components.names(("networks",))
    assert not {"memory", "prototypes", "build", "linear", "full", "lsh"} & set(found)


@pytest.mark.parametrize("name", ["../methods/supcon", "x" * 300, "\0", "a/b", ""])
def test_names_of_components_do_not_touch_the_disk(name: str) -> None:
    with pytest.raises(UserError, match="no stage is called"):
        components.find(STAGES, name)


# ---- the project's own


def test_one_file_is_enough_for_a_component_of_ones_own(own: Own, write_recipe: Write) -> None:
    own.write("stages/mine.py", ONE_FILE)
    write_recipe("r", HEAD)
    assert components.owner(components.find(STAGES, "mine")) == ("components.stages.mine", "Mine")
    assert "mine" in components.names(STAGES)
    assert components.load(STAGES, "mine")(load("r").stages["s"]).run(None).metrics == {"x": 2.0}


def test_components_of_ones_own_import_each_other(own: Own, write_recipe: Write) -> None:
    own.write("parts/numbers.py", NUMBERS)
    own.write("stages/family/mine_options.py", OPTIONS)
    own.write(
        "stages/family/mine.py",
        PAIR.replace("..parts", "...parts").replace("stages.mine", "stages.family.mine"),
    )
    before = list(sys.path)
    stage = components.load(STAGES, "mine")
    assert stage.__module__ == "components.stages.family.mine" and sys.path == before
    assert stage(components.find(STAGES, "mine")(kind="mine")).run(None).metrics == {"x": 4.0}


def test_options_beside_their_component_are_read_without_it(own: Own, write_recipe: Write) -> None:
    own.write("stages/mine_options.py", OPTIONS)
    own.write("stages/mine.py", "raise RuntimeError('imported')\n")
    write_recipe("r", HEAD)
    assert load("r").stages["s"].metrics == ("x",)
    with pytest.raises(UserError, match=r"components/stages/mine\.py:1: cannot be imported: RuntimeError"):
        components.load(STAGES, "mine")


def test_the_code_of_ones_own_components_is_part_of_the_record(own: Own, write_recipe: Write) -> None:
    own.write("parts/numbers.py", NUMBERS)
    own.write("stages/mine_options.py", OPTIONS)
    own.write("stages/mine.py", PAIR)
    write_recipe("r", HEAD)
    before = source.components(load("r"))
    assert list(before) == ["components.parts.numbers", "components.stages.mine"]
    for file, old, new, changes in (
        ("parts/numbers.py", "2 * x", "3 * x", ["components.parts.numbers"]),
        ("parts/numbers.py", "return x\n", "return -x\n", []),
        ("stages/mine.py", "doubled(self", "-doubled(self", ["components.stages.mine"]),
        ("stages/mine_options.py", "2.0", "3.0", []),  # part of the recipe's hash
    ):
        text = (own.folder / file).read_text()
        own.write(file, text.replace(old, new))
        assert source.changed(before, source.components(load("r"))) == changes, file
        own.write(file, text)
    assert source.components(load("r")) == before


def test_a_recipe_runs_with_a_stage_of_ones_own(own: Own, write_recipe: Write, project: Path) -> None:
    own.write("stages/mine.py", ONE_FILE)
    write_recipe("r", HEAD)
    done = repro("run", "r", cwd=project, REPRO_CACHE=str(project / "cache"))
    assert done.returncode == 0, done.stderr
    (path,) = (project / "results" / "records" / "r").glob("*.json")
    record = json.loads(path.read_text())
    assert record["metrics"] == {"s.x": 2.0} and list(record["components"]) == ["components.stages.mine"]


def test_hidden_files_and_modules_without_options_are_no_components(own: Own) -> None:
    for name in ("stages/_mine.py", "stages/_parts/mine.py"):
        own.write(name, ONE_FILE)
    own.write("stages/helper.py", "def helped():\n    pass\n")
    assert not {"mine", "_mine", "helper"} & set(components.names(STAGES))
    with pytest.raises(UserError, match=r"no stage is called `helper` \(.*helper\.py declares no options"):
        components.find(STAGES, "helper")
    assert list(components.faults()) == []


def test_folders_of_another_kind_are_not_searched(own: Own) -> None:
    own.write(
        "networks/heads/mine.py",
        "from repro.options import HeadOptions\n\n\nclass MineOptions(HeadOptions):\n    pass\n",
    )
    assert "mine" in components.names(("networks.heads",)) and "mine" not in components.names(("networks",))


def test_a_folder_of_that_name_without_recipes_is_none_of_ours(own: Own, project: Path) -> None:
    own.write("stages/mine.py", ONE_FILE)
    (project / "recipes" / "tests").rmdir()
    (project / "recipes").rmdir()
    assert "mine" not in components.names(STAGES)


# ---- what can be wrong with them

NESTED = "from __future__ import annotations\nfrom repro.options import StageOptions\n\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("class A:\n    class Options(StageOptions:\n", ":5: not valid Python: "),
        ("import nothing_of_that_name\n", ":4: cannot be imported: ModuleNotFoundError: No module named"),
        ("from repro.options import Nothing\n", ":4: cannot be imported: ImportError: cannot import name"),
        ("1 / 0\n", ":4: cannot be imported: ZeroDivisionError: division by zero."),
        ("class A:\n    class Options(StageOptions):\n        n: N = 1\n", ":5: the options `A.Options` cannot be"),
        ("class A:\n    class Options(StageOptions):\n        n = 1\n", ":5: cannot be imported: PydanticUserError"),
        ("x = '\0'\n", "mine.py"),
    ],
)  # fmt: skip
def test_a_fault_in_a_component_is_one_line_and_stops_nothing_else(
    own: Own, write_recipe: Write, text: str, words: str
) -> None:
    path = own.write("stages/mine.py", NESTED + text)
    write_recipe("good", "paper: khosla2020-supcon\ntitle: t\ntier: cpu\nstages: {s: {kind: cosine_null}}\n")
    write_recipe("r", HEAD)
    (problem,) = components.faults()
    assert str(path) in problem and words in problem and "\n" not in problem
    listed = invoke("list")
    assert listed.exit_code == 0 and "2 recipes" in listed.stdout
    checked = invoke("check", "good")
    assert checked.exit_code == 0, checked.stderr
    checked = invoke("check")
    assert checked.exit_code == 2 and problem in checked.stderr
    assert [line for line in checked.stderr.splitlines() if "r.yaml:4" in line and str(path) in line]


def test_a_class_that_does_not_take_its_options_is_told(own: Own) -> None:
    own.write("stages/mine_options.py", OPTIONS)
    path = own.write("stages/mine.py", "class Other:\n    pass\n")
    with pytest.raises(UserError) as caught:
        components.load(STAGES, "mine")
    assert f"{path}: the stage `mine` needs a class `Mine` with `Options = MineOptions`." == str(caught.value)


def test_two_components_of_one_name_are_told_with_their_files(own: Own) -> None:
    path = own.write(
        "methods/supcon.py",
        "from repro.options import MethodOptions\n\n\nclass AOptions(MethodOptions):\n    pass\n",
    )
    with pytest.raises(UserError) as caught:
        components.find(("methods",), "supcon")
    built_in = next((ROOT / "repro" / "methods").rglob("supcon.py"))
    assert str(caught.value) == f"Two methods are called `supcon`: {built_in} and {path}; rename one."
    assert list(components.faults()) == [str(caught.value)]


def test_an_unusable_name_is_told(own: Own) -> None:
    path = own.write("stages/Mine-2.py", ONE_FILE)
    (problem,) = components.faults()
    assert problem.startswith(f"{path}: `Mine-2` is not usable as the name of a stage (lower-case")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("        n: int = 1\n", "stage `s` gives no metric `loss`; it gives none that its options declare"),
        (
            "        @property\n        def metrics(self):\n            return NAMES\n",
            "Stage kind `mine`: its options cannot say their `metrics` (NameError: name 'NAMES' is not defined).",
        ),
    ],
)
def test_a_stage_of_ones_own_has_to_declare_its_metrics(
    own: Own, write_recipe: Write, body: str, words: str
) -> None:
    own.write("stages/mine.py", f"{NESTED}class A:\n    class Options(StageOptions):\n{body}")
    source_of = "source: {where: Table 1, evidence: paper}"
    write_recipe("r", HEAD + f"expected: [{{metric: s.loss, at_least: 1, {source_of}}}]\n")
    checked = invoke("check", "r")
    assert checked.exit_code == 2 and words in checked.stderr


# ---- installed packages


def installed(folder: Path, target: str) -> None:
    (folder / "extra-1.0.dist-info").mkdir(parents=True)
    (folder / "extra-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: extra\nVersion: 1.0\n"
    )
    (folder / "extra-1.0.dist-info" / "entry_points.txt").write_text(
        f"[repro.components]\nextra = {target}\n"
    )


def test_components_of_an_installed_package_are_found(
    own: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_recipe: Write
) -> None:
    installed(tmp_path / "site", "extra_parts")
    package = tmp_path / "site" / "extra_parts"
    (package / "stages").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "stages" / "mine.py").write_text(ONE_FILE)
    monkeypatch.syspath_prepend(tmp_path / "site")
    forget()
    write_recipe("r", HEAD)
    assert list(source.components(load("r"))) == ["extra_parts.stages.mine"]
    assert components.load(STAGES, "mine").__module__ == "extra_parts.stages.mine"
    assert list(components.faults()) == []


def test_an_entry_point_that_leads_nowhere_is_told(
    own: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path / "site", "no_such_package")
    monkeypatch.syspath_prepend(tmp_path / "site")
    forget()
    (problem,) = components.faults()
    assert problem == (
        "The entry point `extra` of repro.components, which extra names: there is no package `no_such_package`."
    )
