"""A record is evidence: ways to have a wrong result accepted without a word, each tried and each said aloud."""

from __future__ import annotations

import functools
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from repro import paths, source
from repro.engine import checkpoint, state
from repro.engine.budget import Deadline
from repro.engine.session import Session
from repro.errors import UserError
from repro.methods.supervised import supcon
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


# ---- what runs keep and reuse


def edit_code(monkeypatch: pytest.MonkeyPatch, text: str = "edited") -> None:
    """As if a method's file had been changed."""
    real = source.components.__wrapped__ if hasattr(source.components, "__wrapped__") else source.components
    changed = functools.wraps(real)(lambda recipe: real(recipe) | {"repro.methods.supcon": text})
    monkeypatch.setattr(source, "components", changed)


def run(recipe: str = "r", **options: Any) -> list[str]:
    """Runs the recipe here and gives what is said."""
    said: list[str] = []
    Session(device="cpu", echo=said.append, **options).run([(load(recipe), [0])])
    return said


def records(project: Path, recipe: str = "r") -> list[dict[str, Any]]:
    return [json.loads(p.read_text()) for p in sorted((project / "results/records" / recipe).glob("*.json"))]


def test_after_an_edit_of_the_code_nothing_is_called_recorded(
    write_recipe: Write, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recipe("r", GOOD)
    run()
    assert "already recorded" in run()[0]
    edit_code(monkeypatch)
    said = run()
    assert "repro.methods.supcon" in said[0] and "`repro run r --confirm`" in said[0]
    assert len(records(project)) == 1


def test_a_run_that_gives_the_record_again_confirms_it(
    write_recipe: Write, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recipe("r", GOOD)
    run()
    before = records(project)[0]
    edit_code(monkeypatch)
    assert any("confirmed by seed 0, largest difference 0" in line for line in run(confirm=True))
    (after,) = records(project)
    assert after["metrics"] == before["metrics"] and after["components"] != before["components"]
    assert [c["finished"] for c in after["confirms"]] == [before["finished"]]
    assert len(Store(project / "results").earlier("r")) == 1
    edit_code(monkeypatch, "edited again")
    run(confirm=True)
    assert len(records(project)[0]["confirms"]) == 2  # and what that one confirmed


def test_a_run_that_comes_out_otherwise_confirms_nothing_and_all_seeds_are_run(
    write_recipe: Write, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recipe("r", GOOD.replace("tier: cpu", "tier: cpu\nseeds: [0, 1]"))
    work = [(load("r"), [0, 1])]
    Session(device="cpu", echo=lambda text: None).run(work)
    edit_code(monkeypatch)
    real = supcon.SupCon.loss
    monkeypatch.setattr(supcon.SupCon, "loss", lambda self, z, label: 2 * real(self, z, label))
    said: list[str] = []
    Session(device="cpu", echo=said.append, confirm=True).run(work)
    assert any("came out otherwise" in line for line in said)
    assert [
        (r["seed"], r["confirms"], r["components"]["repro.methods.supcon"]) for r in records(project)
    ] == [
        (0, [], "edited"),
        (1, [], "edited"),
    ]


def test_a_record_in_another_precision_is_not_the_one_asked_for(write_recipe: Write, project: Path) -> None:
    write_recipe("r", GOOD)
    run(precision="bf16")
    assert "already recorded" in run()[0]
    assert not any("already recorded" in line for line in run(precision="fp32"))
    assert records(project)[0]["precision"] == "fp32"
    assert len(Store(project / "results").earlier("r")) == 1


def interrupted(monkeypatch: pytest.MonkeyPatch, **options: Any) -> Path:
    """Stops a run of `r` after a few steps of training. Returns its folder."""
    steps = iter(range(1000))
    with monkeypatch.context() as patched:
        patched.setattr(Deadline, "check", lambda self, margin=0: "enough" if next(steps) > 8 else None)
        said = run(**options)
    assert any("Stopped" in line for line in said)
    (folder,) = (paths.runs_dir() / "r").glob("*-seed0")
    return folder


LONGER = GOOD.replace("epochs: 1", "epochs: 3")


def test_code_or_precision_that_changes_in_a_run_is_a_deviation_that_disqualifies(
    write_recipe: Write, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recipe("r", LONGER)
    interrupted(monkeypatch, precision="fp32")
    edit_code(monkeypatch)
    run(precision="bf16")
    (record,) = records(project)
    told = {d["what"]: d for d in record["deviations"]}
    assert "repro.methods.supcon" in told["code"]["here"] and told["code"]["disqualifies"]
    assert told["precision"]["here"] == "fp32, then bf16" and told["precision"]["disqualifies"]


def test_a_run_resumed_as_it_began_has_no_such_deviation(
    write_recipe: Write, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recipe("r", LONGER)
    interrupted(monkeypatch)
    run()
    assert records(project)[0]["deviations"] == []


@pytest.mark.parametrize("resealed", [False, True])
@pytest.mark.parametrize("step", [40, 65, 10**9, -5])
def test_a_step_edited_in_a_checkpoint_skips_nothing(
    write_recipe: Write, project: Path, monkeypatch: pytest.MonkeyPatch, step: int, resealed: bool
) -> None:
    write_recipe("r", LONGER)
    path = interrupted(monkeypatch) / "pretrain" / "checkpoint.safetensors"
    tensors, facts = checkpoint.load(path)
    if resealed:
        checkpoint.save(path, tensors, facts | {"step": step})
    else:
        told = safe_open(path, framework="pt").metadata()
        save_file(tensors, path, metadata=told | {"facts": json.dumps(facts | {"step": step})})
    with pytest.raises(UserError, match="damaged"):
        run()
    assert records(project) == []


@pytest.mark.parametrize("name", ["sessions.json", "pretrain/outcome.json", "pretrain/seconds.json"])
@pytest.mark.parametrize("force", [True, False])
def test_what_is_kept_between_sessions_cannot_be_edited(
    write_recipe: Write, project: Path, name: str, force: bool
) -> None:
    write_recipe("r", GOOD)
    run()
    (folder,) = (paths.runs_dir() / "r").glob("*-seed0")
    Store(project / "results").path("r", records(project)[0]["hash"], 0).unlink()
    if name.endswith("seconds.json"):
        (folder / "pretrain" / "outcome.json").unlink()
    path = folder / name
    path.write_text(re.sub(r"\d\.\d", "9.9", path.read_text(), count=1).replace('"cpu"', '"gpu"'))
    with pytest.raises(UserError, match=rf"{name} was damaged or edited.*delete the folder .*--force"):
        run()
    if not force:  # the message names both ways
        shutil.rmtree(path.parent)
    assert "r, seed 0" in "\n".join(run(force=force))


@pytest.mark.parametrize(
    "content",
    ["null", "{}", "[]", "3", '"abc"', '{"digest": 1}', '{"digest": "x", "content": {}}', "{", "[" * 5000],
)
@pytest.mark.parametrize("name", ["sessions.json", "pretrain/outcome.json", "pretrain/seconds.json"])
def test_kept_files_of_another_shape_are_told_in_a_line(
    write_recipe: Write, project: Path, name: str, content: str
) -> None:
    write_recipe("r", GOOD)
    run()
    (folder,) = (paths.runs_dir() / "r").glob("*-seed0")
    Store(project / "results").path("r", records(project)[0]["hash"], 0).unlink()
    (folder / "knn" / "outcome.json").unlink()
    (folder / name).write_text(content)
    if name.endswith("seconds.json"):
        (folder / "pretrain" / "outcome.json").unlink()
    with pytest.raises(UserError, match=name):
        run()


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_no_content_of_a_kept_file_is_taken_for_what_it_is_not(content: Any) -> None:
    for kind in (state.Sessions, state.Clock, state.Done, state.Progress):
        try:
            state.typed(Path("x.json"), content, kind)
        except UserError as error:
            assert "x.json" in str(error) and "\n" not in str(error)
        else:
            assert content == {} and kind in (state.Sessions, state.Clock)


def test_a_stage_whose_output_is_damaged_is_run_again(write_recipe: Write, project: Path) -> None:
    write_recipe("r", GOOD)
    run()
    before = records(project)[0]
    (folder,) = (paths.runs_dir() / "r").glob("*-seed0")
    output = folder / "pretrain" / "output.safetensors"
    output.write_bytes(output.read_bytes()[:100])
    (folder / "knn" / "outcome.json").unlink()
    Store(project / "results").path("r", before["hash"], 0).unlink()
    assert any("stage `pretrain` left it: the stage is run again" in line for line in run())
    assert records(project)[0]["metrics"] == before["metrics"]


def test_seeds_and_recipes_named_twice_run_once(write_recipe: Write, project: Path) -> None:
    write_recipe("r", GOOD)
    said: list[str] = []
    Session(device="cpu", echo=said.append).run([(load("r"), [0, 0]), (load("r"), [0])])
    assert sum("→" in line for line in said) == 1 and said[-1].count("\nr ") == 1


def test_edited_code_is_noticed(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = source.components
    monkeypatch.setattr(
        source, "components", lambda recipe: real(recipe) | {"repro.methods.supcon": "edited"}
    )
    done = invoke("table")
    assert "stale?" in done.output and "matches" not in done.output.split("Numbers")[0]
    shown = invoke("compare", "r").output
    assert "repro.methods.supcon" in shown and "repro run r --confirm" in shown


# ---- what a run keeps belongs to this run


def forgotten(project: Path, seed: int = 0) -> Path:
    """The folder of a finished run whose record is gone."""
    (folder,) = (paths.runs_dir() / "r").glob(f"*-seed{seed}")
    Store(project / "results").path("r", records(project)[0]["hash"], seed).unlink()
    return folder


@pytest.mark.parametrize("what", ["", "pretrain", "pretrain/outcome.json"])
def test_the_work_of_one_seed_is_not_taken_for_anothers(
    write_recipe: Write, project: Path, what: str
) -> None:
    write_recipe("r", GOOD)
    run()
    (folder,) = (paths.runs_dir() / "r").glob("*-seed0")
    other = folder.with_name(folder.name.replace("-seed0", "-seed1"))
    if (folder / what).is_dir():
        shutil.copytree(folder / what, other / what)
    else:
        shutil.copytree(folder / "pretrain", other / "pretrain")
    if what:
        shutil.copy(folder / "sessions.json", other)
        content = json.loads((other / "sessions.json").read_text())["content"]
        state.write(other / "sessions.json", state.Sessions.model_validate(content))
    with pytest.raises(UserError, match=r"belongs to .*-seed0.*--force"):
        Session(device="cpu", echo=lambda text: None).run([(load("r"), [1])])
    assert len(records(project)) == 1


def test_a_checkpoint_of_another_seed_is_not_resumed(
    write_recipe: Write, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recipe("r", LONGER)
    folder = interrupted(monkeypatch)
    tensors, facts = checkpoint.load(folder / "pretrain" / "checkpoint.safetensors")
    other = folder.with_name(folder.name.replace("-seed0", "-seed1"))
    checkpoint.save(other / "pretrain" / "checkpoint.safetensors", tensors, facts)
    state.write(other / "sessions.json", state.Sessions())
    with pytest.raises(UserError, match=r"checkpoint.*belongs to .*-seed0"):
        Session(device="cpu", echo=lambda text: None).run([(load("r"), [1])])


def test_who_began_a_run_cannot_be_forgotten(
    write_recipe: Write, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its sessions, work of earlier code would pass for that of the present."""
    write_recipe("r", GOOD)
    run()
    (forgotten(project) / "sessions.json").unlink()
    edit_code(monkeypatch)
    with pytest.raises(UserError, match=r"sessions.json was damaged or edited \(it is missing.*--force"):
        run()
    assert records(project) == []


def test_a_smoke_run_takes_no_records_place(write_recipe: Write, project: Path) -> None:
    write_recipe("r", GOOD)
    run(results=project / "kept")
    run(results=project / "kept", smoke=True)
    (path,) = (project / "kept" / "records" / "r").glob("*.json")
    assert not json.loads(path.read_text())["smoke"] and not Store(project / "kept").earlier("r")
    assert len(list(project.glob("kept/smoke/records/r/*.json"))) == 1


def test_code_that_is_edited_while_it_runs_is_a_deviation_that_disqualifies(
    write_recipe: Write, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recipe("r", GOOD)
    real = source._read_again

    def read(module: str) -> list[Any]:
        definitions, imports = real(module)
        if module == "repro.stages.knn":
            definitions = definitions | {"KNN": ["edited", definitions["KNN"][1]]}
        return [definitions, imports]

    source.look()
    monkeypatch.setattr(source, "_read_again", read)
    run()
    (told,) = records(project)[0]["deviations"]
    assert told["here"] == "edited in between: repro.stages.knn" and told["disqualifies"]


def test_a_smoke_run_among_the_records_is_none(write_recipe: Write, project: Path) -> None:
    write_recipe("r", GOOD)
    run(smoke=True)
    smoke, kept = project / ".repro" / "smoke" / "records" / "r", project / "results" / "records" / "r"
    shutil.copytree(smoke, kept)
    assert "(n=1, not comparable)" in invoke("table").output
    assert not any("already recorded" in line for line in run())
    assert [r["smoke"] for r in records(project)] == [False]
    assert "not comparable" not in invoke("table").output
