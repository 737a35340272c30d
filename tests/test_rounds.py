"""Rounds are the same as their stages written out by hand; and mistakes in them are told where they stand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from repro.engine.run import shrunk
from repro.errors import UserError
from repro.recipes import yaml
from repro.recipes.json_schema import schema
from repro.recipes.listing import summary
from repro.recipes.load import examined, load, recipe_hash, with_fewer_rounds
from repro.recipes.unroll import unrolled
from repro.results.rows import by_stage
from tests.conftest import Write, invoke
from tests.test_fuzz import dumped, files_of, fuzz, recipe_survives, spoilt

TRAIN = """\
{kind: train, method: {name: supcon}, network: {backbone: mlp, hidden: [8], head: {kind: mlp, hidden: 8, out: 4}},
        views: {policy: digits, count: 2}, epochs: 1, batch: {size: 64}, optimizer: {lr: 1e-1}}"""
HEAD = "paper: khosla2020-supcon\ntitle: Rounds\ntier: cpu\ndataset: digits\nstages:\n"
ROUNDS = f"""{HEAD}\
  tasks:
    kind: rounds
    count: 3
    body:
      train: {TRAIN}
      knn: {{kind: knn, of: $this.train, k: 5}}
      old: {{kind: knn, of: $previous.train}}
  tasks0_old: null
  end: {{kind: knn, of: $last.tasks.train}}
expected:
  - {{metric: tasks2_knn.top1, at_least: 1, source: {{where: x, evidence: memory}}}}
"""
BY_HAND = HEAD + "".join(
    f"  tasks{n}_train: {TRAIN}\n  tasks{n}_knn: {{kind: knn, of: tasks{n}_train, k: 5}}\n"
    + f"  tasks{n}_old: {{kind: knn, of: tasks{n - 1}_train}}\n" * (n > 0)
    for n in range(3)
) + "  end: {kind: knn, of: tasks2_train}\n"  # fmt: skip


def stages(body: Any, count: int = 2, **others: Any) -> Any:
    values = {"stages": {"r": {"kind": "rounds", "count": count, "body": body}, **others}}
    result = unrolled(values)
    result.check()
    return result.values["stages"]


def complaints() -> list[str]:
    return [str(problem).rsplit("/", 1)[-1] for problem in examined("r")[1]]


def test_rounds_are_their_stages_written_by_hand(write_recipe: Write) -> None:
    write_recipe("r", ROUNDS)
    write_recipe("hand", BY_HAND)
    rolled, by_hand = load("r"), load("hand")
    assert list(rolled.stages) == list(by_hand.stages)
    assert recipe_hash(rolled) == recipe_hash(by_hand)
    assert by_stage(rolled, "end.top1") == "training"


def test_references_take_the_stage_or_number_of_their_round() -> None:
    body = {
        "a": {"of": "$this.b", "before": "$previous.a", "n": "$round"},
        "b": {"of": ["$round", {"x": "$round"}]},
    }
    assert stages(body) == {
        "r0_a": {"of": "r0_b", "n": 0},
        "r0_b": {"of": [0, {"x": 0}]},
        "r1_a": {"of": "r1_b", "before": "r0_a", "n": 1},
        "r1_b": {"of": [1, {"x": 1}]},
    }


def test_what_refers_to_the_round_before_is_left_out_of_the_first() -> None:
    of = "$previous.a"
    body = {"a": {"kind": "x", "data": {"slice": {"selected": of}}, "each": [{"name": "y", "of": of}, {"z": 1}],
                  "only": [of], "method": {"name": "m", "teacher": of}, "empty": {}}}  # fmt: skip
    first, second = stages(body).values()
    assert first == {"kind": "x", "each": [{"z": 1}], "method": {"name": "m"}, "empty": {}}
    assert second["data"] == {"slice": {"selected": "r0_a"}} and second["only"] == ["r0_a"]
    assert second["each"][0] == {"name": "y", "of": "r0_a"}


def test_a_stream_of_the_round_before_is_left_out_whole() -> None:
    memory = {"ratio": 2, "slice": {"selected": "$previous.a"}}
    first, second = stages({"a": {"streams": {"other": {"ratio": 1}, "memory": memory}}}).values()
    assert first == {"streams": {"other": {"ratio": 1}}}
    assert second["streams"]["memory"] == {"ratio": 2, "slice": {"selected": "r0_a"}}
    assert stages({"a": {"streams": {"memory": memory}}}, 1) == {"r0_a": {}}


def test_a_stage_of_one_round_is_changed_by_its_name() -> None:
    body = {"a": {"kind": "x", "n": 1, "m": {"k": 1}}}
    found = stages(body, 3, r1_a={"n": "$round", "m": {"l": 2}}, r2_a=None)
    assert found == {"r0_a": body["a"], "r1_a": {"kind": "x", "n": 1, "m": {"k": 1, "l": 2}}}


def test_a_stage_for_every_round_seen() -> None:
    body = {"train": {"n": 1}, "test": {"of": "$this.train", "task": "$seen", "at": "$round"}}
    found = stages(body, 3, r2_test1={"k": 5})
    matrix = {(t, i): found[f"r{t}_test{i}"] for t in range(3) for i in range(t + 1)}
    assert len(found) == 3 + len(matrix)
    for (t, i), options in matrix.items():
        assert options == {"of": f"r{t}_train", "task": i, "at": t} | ({"k": 5} if (t, i) == (2, 1) else {})
    with pytest.raises(ValidationError, match="one for each round seen"):
        stages({**body, "other": {"of": "$this.test"}})
    with pytest.raises(ValidationError, match="500500 stages"):
        stages({"a": {"n": "$seen"}}, 1000)


def test_several_rounds_follow_each_other(write_recipe: Write) -> None:
    text = ROUNDS.replace(
        "  end:", "  more: {kind: rounds, count: 2, body: {knn: {kind: knn, of: $last.tasks.train}}}\n  end:"
    )
    write_recipe("r", text)
    assert load("r").stages["more1_knn"].of == "tasks2_train"  # type: ignore[attr-defined]


def test_children_and_overrides_change_rounds(write_recipe: Write) -> None:
    write_recipe("r", ROUNDS)
    write_recipe(
        "child",
        "extends: r\ntitle: c\nstages:\n  tasks: {count: 4, body: {knn: {k: 7}}}\n  tasks3_knn: {k: 9}\n",
    )
    child: Any = load("child").stages
    assert [child[f"tasks{n}_knn"].k for n in range(4)] == [7, 7, 7, 9] and child["end"].of == "tasks3_train"
    changed: Any = load("r", ["stages.tasks.body.train.epochs=3", "stages.tasks1_train.epochs=9"]).stages
    assert [changed[f"tasks{n}_train"].epochs for n in range(3)] == [3, 9, 3]
    fewer = load("r", ["stages.tasks.count=2"])
    assert fewer.stages["end"].of == "tasks1_train" and not fewer.expected  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="no `tasks7_train` there; did you mean"):
        load("r", ["stages.tasks7_train.epochs=1"])


def test_a_smoke_run_has_few_rounds(write_recipe: Write) -> None:
    text = ROUNDS.replace("$last.tasks.train", "tasks2_train") + "notes: x\n"
    write_recipe("r", text.replace("  tasks0_old: null\n", "  tasks0_old: null\n  tasks2_knn: {k: 3}\n"))
    recipe = load("r")
    few = with_fewer_rounds(recipe, 2)
    assert list(few.stages) == [
        "tasks0_train",
        "tasks0_knn",
        "tasks1_train",
        "tasks1_knn",
        "tasks1_old",
        "end",
    ]
    assert few.stages["end"].of == "tasks1_train" and few.stages["tasks1_knn"].k == 5  # type: ignore[attr-defined]
    assert not few.expected and list(shrunk(recipe).stages) == list(few.stages)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("epochs: 1", "epochs: ten", 11, ["stages.tasks.body.train.epochs", "'ten'"]),
        ("k: 5", "kk: 5", 12, ["stages.tasks.body.knn.kk", "did you mean `k`?"]),
        ("$this.train", "$this.trian", 12, ["`$this.trian`", "did you mean `train`?"]),
        ("$this.train", "$ths.train", 12, ["it means nothing", "`$this.<stage>`"]),
        ("$this.train", "$this.old", 12, ["stages.tasks.body.knn.of", "no stage is called `tasks0_old`"]),
        ("$this.train", "$last.tasks.train", 12, ["no rounds before it are called `tasks`"]),
        ("count: 3", "count: 400", 8, ["stages.tasks.count", "1200 stages", "at most 1000"]),
        ("count: 3", "count: 0", 8, ["stages.tasks.count", "greater than 0"]),
        ("count: 3", "cuont: 3", 8, ["did you mean `count`?"]),
        ("kind: knn, of: $this.train", "kind: rounds, of: $this.train", 12, ["no rounds within rounds"]),
        ("  tasks0_old: null\n", "", 13, ["stages.tasks.body.old.of", "round 0"]),
        ("tasks0_old", "tasks0_knn: {k: x}\n  tasks0_old", 14, ["stages.tasks0_knn.k", "'x'"]),
        ("tasks0_old", "tasks3_knn: {k: 2}\n  tasks0_old", 14, ["no such stage; the last is number 2"]),
        ("$last.tasks.train", "$this.train", 15, ["only in the body of rounds"]),
        ("$last.tasks.train", "$last.tasks.trian", 15, ["did you mean `train`?"]),
        ("tasks2_knn.top1", "tasks3_knn.top1", 17, ["no stage is called `tasks3_knn`"]),
    ],
)  # fmt: skip
def test_each_mistake_is_told_once_where_it_stands(
    write_recipe: Write, old: str, new: str, line: int, words: list[str]
) -> None:
    write_recipe("r", ROUNDS.replace(old, new, 1))
    complaint = next(c for c in complaints() if all(word in c for word in words))
    assert complaint.startswith(f"r.yaml:{line}: ")
    assert len([c for c in complaints() if c.startswith(f"r.yaml:{line}: ")]) == 1


def test_two_rounds_cannot_give_one_stage(write_recipe: Write) -> None:
    other = "  tasks1: {kind: rounds, count: 1, body: {knn: {kind: knn, of: $last.tasks.train}}}\n"
    write_recipe("r", ROUNDS.replace("count: 3", "count: 11").replace("  end:", f"{other}  end:"))
    assert any("both give a stage `tasks10_knn`; rename one" in c for c in complaints())


def test_rounds_are_listed_shown_and_in_the_schema(write_recipe: Write) -> None:
    write_recipe("r", ROUNDS)
    assert summary("r")["stages"] == ["tasks*_train", "tasks*_knn", "tasks*_old", "end"]
    assert summary("r")["methods"] == ["supcon"]
    shown = json.loads(invoke("show", "r", "--json").output)["resolved"]["stages"]
    assert list(shown) == list(load("r").stages)
    assert {"$ref": "#/$defs/Rounds"} in schema()["properties"]["stages"]["additionalProperties"]["oneOf"]


@pytest.mark.parametrize("examples", [40, pytest.param(2000, marks=pytest.mark.long)])
def test_spoilt_rounds(write_recipe: Write, examples: int) -> None:
    write = files_of(write_recipe)

    def survives(recipe: Any) -> None:
        write("r", dumped(recipe))
        recipe_survives("r")
        recipe_survives("r", "stages.tasks.count=2")
        recipe_survives("r", "stages.tasks1_train.epochs=2")

    fuzz(examples, spoilt(yaml.parse(ROUNDS)), survives)
