"""A project of one's own: what the README shows of it, written and run; and what is used beside it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from repro import paths
from tests.conftest import ROOT, forget, invoke, repro

README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("## Your own project\n")[2].partition("\n## ")[0]
FILES = re.findall(r"```(?:python|yaml)\n# my-project/(\S+)\n(.*?)```", SECTION, re.DOTALL)
COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
    if not language and line.startswith("repro ")
]


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in no project that is the working directory."""
    (tmp_path / "my-project").mkdir()
    monkeypatch.chdir(tmp_path / "my-project")
    monkeypatch.setenv("REPRO_RUNS", str(tmp_path / "runs"))
    forget()
    yield tmp_path / "my-project"
    forget()


@pytest.fixture
def own(outside: Path) -> Path:
    """A project of one's own, beside which the recipes that came along are used."""
    (outside / "recipes" / "mine").mkdir(parents=True)
    forget()
    return outside


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    forget()
    return path


BUNDLED = '{bundled: "components.shells:rows"}'
ROWS = """\
import numpy as np


def rows(split):
    n = {"train": 200, "test": 100}[split]
    return {name: np.arange(n) % 2 for name in ("length", "width", "height", "kind")}
"""
CHILD = "extends: supcon-digits\ntitle: A child\nclaim: own\n"


# ---- the README's section


def test_what_the_readme_shows_can_be_written_and_run(outside: Path) -> None:
    first, *others = COMMANDS
    assert first[0] == "new" and len(FILES) == 10 and sum("--smoke" in command for command in others) == 4
    assert invoke(*first).exit_code == 0 and (outside / FILES[2][0]).is_file()
    for name, text in FILES:
        write(outside / name, text)
    for command in others:
        done = invoke(*command)
        assert done.exit_code == 0, (command, done.output, done.exception)
    assert not (outside / "results").exists()  # smoke runs leave none


def test_the_data_set_of_the_readme_is_read_and_compared(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in FILES:
        write(own / name, text)
    monkeypatch.setenv("REPRO_DATA", str(own / "data"))
    rng = np.random.default_rng(0)
    for split, rows in (("train", 200), ("test", 100)):
        columns = {name: rng.normal(size=rows) for name in ("length", "width", "height")}
        path = write(own / "data" / "shells" / f"{split}-0.parquet", "")
        pq.write_table(pa.table({**columns, "kind": rng.integers(0, 2, rows)}), path)
    verified = invoke("data", "verify", "shells")
    assert verified.exit_code == 0 and verified.output.count("not on record") == 4, verified.output
    done = invoke("run", "nce-shells", "--seed", "0", "-o", "stages.pretrain.epochs=1")
    assert done.exit_code == 0, (done.output, done.exception)
    assert list((own / "results" / "records" / "nce-shells").glob("*.json"))


def test_a_function_of_ones_own_gives_the_rows_of_a_data_set(own: Path) -> None:
    text = dict(FILES)["components/data/sets/shells.yaml"]
    declared = write(own / "components/data/sets/shells.yaml", text.replace("{parquet: {}}", BUNDLED))
    assert declared.read_text() != text
    told = invoke("data", "verify", "shells")
    assert str(told.exception).startswith(f"{own / 'components' / 'shells.py'}: cannot be imported: ")
    write(own / "components" / "shells.py", ROWS)
    verified = invoke("data", "verify", "shells")
    assert verified.exit_code == 0 and verified.output.count("not on record") == 4, verified.output


# ---- recipes, papers, data sets and policies beside those that came along


def test_own_recipes_stand_beside_the_others_and_extend_them(own: Path) -> None:
    write(own / "recipes" / "mine" / "mine.yaml", CHILD)
    write(own / "recipes" / "mine" / "grandchild.yaml", CHILD.replace("supcon-digits", "mine"))
    listed = invoke("list", "--search", "digits").stdout
    assert all(name in listed for name in ("mine", "grandchild", "supcon-digits"))
    checked = invoke("check")
    assert checked.exit_code == 0 and checked.stdout.startswith("2 recipes, 0 papers, 0 data sets and 0 pol")


@pytest.mark.parametrize(
    ("file", "text", "came", "kind", "asked"),
    [
        ("recipes/mine/supcon-digits.yaml", CHILD, "recipes/supervised-contrastive", "recipe", "check"),
        ("papers/khosla2020-supcon.yaml", "slug: x\n", "papers", "paper", "check"),
        ("components/data/sets/digits.yaml", "title: x\n", "repro/data/sets", "data set", "check"),
        ("components/views/policies/digits.yaml", "count: 1\n", "repro/views/policies", "views policy", "check"),
    ],
)  # fmt: skip
def test_a_name_in_both_is_told_with_both_files(
    own: Path, file: str, text: str, came: str, kind: str, asked: str
) -> None:
    path = write(own / file, text)
    other = ROOT / came / path.name
    done = invoke(asked)
    lines = [line for line in done.stderr.splitlines() if "has the same name" in line]
    assert done.exit_code == 2
    assert lines == [f"{path}: another {kind} has the same name, {other}; rename one."]


def test_own_papers_and_policies_are_used_beside_the_others(own: Path) -> None:
    paper = (
        "slug: doe2027-mine\ntitle: Mine\nyear: 2027\nkind: method\nfamily: other\nidea: Mine.\ntier: cpu\n"
    )
    write(own / "papers" / "doe2027-mine.yaml", paper)
    write(own / "components" / "views" / "policies" / "gentle.yaml", "crop: {scale: [0.8, 1.0]}\n")
    views = "paper: doe2027-mine\nstages: {pretrain: {views: {policy: gentle}}}\n"
    write(own / "recipes" / "mine" / "mine.yaml", CHILD + views)
    checked = invoke("check")
    assert checked.exit_code == 0, checked.stderr
    assert "1 recipes, 1 papers, 0 data sets and 1 policies" in checked.stdout
    listed = invoke("papers").stdout
    assert "doe2027-mine" in listed and "khosla2020-supcon" in listed


def test_a_project_that_is_a_checkout_has_no_others_beside_it(own: Path) -> None:
    write(own / "recipes" / "mine" / "mine.yaml", "extends: supcon-digits\n")
    assert len(paths.folders("recipes")) == 2
    write(own / "pyproject.toml", f'[project]\nname = "{paths.NAME}"\n')
    paths._is_checkout.cache_clear()
    assert paths.folders("recipes") == [own / "recipes"]
    paths._is_checkout.cache_clear()


# ---- results


def test_the_table_is_about_own_recipes_and_those_that_ran_here(own: Path) -> None:
    expected = "expected:\n- {metric: knn.top1, at_least: 50, source: {where: x, evidence: code}}\n"
    write(own / "recipes" / "mine" / "mine.yaml", CHILD + expected)
    write(own / "README.md", "Mine.\n<!-- results -->\n<!-- /results -->\n")
    first = invoke("table").stdout
    assert "mine" in first and "1 missing" in first and "supcon-" not in first
    assert invoke("run", "rince-loss-limits").exit_code == 0
    second = invoke("table").stdout
    assert "rince-loss-limits" in second and "supcon-cifar" not in second and "1 missing" in second
    assert invoke("table", "--write").exit_code == 0
    page, readme = ((own / name).read_text() for name in ("results/README.md", "README.md"))
    assert "`repro table --write`" in page and "cifar10-methods.svg" not in page
    assert "2 papers" in page and "Of 2 papers on file" in readme, readme


def test_outside_of_projects_a_run_says_where_records_could_go(outside: Path) -> None:
    done = repro("run", "supcon-simplex-toy", cwd=outside)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "--results" in done.stderr and "`repro new`" in done.stderr
    assert invoke("run", "rince-loss-limits", "--smoke").exit_code == 0
    for verb in (("table",), ("list",), ("show", "supcon-simplex-toy")):
        assert invoke(*verb).exit_code == 0
    assert list(outside.iterdir()) == []
    assert invoke("run", "rince-loss-limits", "--results", "results").exit_code == 0
    assert "rince-loss-limits" in invoke("table").stdout


def test_new_makes_a_project_of_the_working_folder_and_says_so(outside: Path) -> None:
    first = repro("new", "mine", "--paper", "doe2027-mine", cwd=outside)
    assert first.returncode == 0 and f"{outside} is now a project" in first.stdout
    assert sorted(p.name for p in outside.iterdir()) == ["papers", "recipes"]
    again = repro("new", "other", "--extends", "mine", cwd=outside / "papers")
    assert again.returncode == 0 and "is now" not in again.stdout
    assert (outside / "recipes" / "other" / "other.yaml").is_file()
