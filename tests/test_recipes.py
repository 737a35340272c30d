"""Recipe files: strict reading, inheritance, overrides, hashes, and what people get told about their mistakes."""

from __future__ import annotations

import pytest
import yaml as pyyaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repro import components
from repro.errors import UserError
from repro.options import StageOptions
from repro.recipes import yaml
from repro.recipes.load import ids, load, recipe_hash
from repro.recipes.merge import merge
from repro.recipes.problems import InvalidFile
from tests.conftest import Write

GOOD = """\
paper: khosla2020-supcon
title: A small one
tier: cpu
dataset: digits
stages:
  pretrain:
    kind: train
    method: {name: supcon, temperature: 0.1}
    network: {backbone: mlp, hidden: [8], head: {kind: mlp, hidden: 8, out: 4}}
    views: {policy: digits, count: 2}
    epochs: 1
    batch: {size: 64}
    optimizer: {name: sgd, lr: 1e-1}
  knn: {kind: knn, of: pretrain}
"""


def complaints(recipe_id: str = "r") -> list[str]:
    with pytest.raises(InvalidFile) as caught:
        load(recipe_id)
    return [str(p).rsplit("/", 1)[-1] for p in caught.value.problems]


def test_a_good_recipe_is_read_with_its_defaults(write_recipe: Write) -> None:
    write_recipe("r", GOOD)
    recipe = load("r")
    assert (recipe.id, recipe.family) == ("r", "tests")
    assert recipe.stages["pretrain"].optimizer.lr == 0.1  # type: ignore[attr-defined]
    assert recipe.stages["knn"].k == 200  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("temperature", "temprature", 8, ["temprature", "did you mean `temperature`?"]),
        ("name: supcon", "name: supcn", 8, ["no method is called `supcn`", "`supcon`"]),
        ("backbone: mlp", "backbone: resnt18", 9, ["no backbone is called", "`resnet18`"]),
        ("{kind: mlp, hidden: 8", "{kind: mpl, hidden: 8", 9, ["no head is called `mpl`"]),
        ("kind: knn", "kind: kn", 14, ["no stage is called `kn`", "`knn`"]),
        ("policy: digits", "policy: digit", 10, ["`digit`", "`digits`"]),
        ("epochs: 1", "epochs: ten", 11, ["stages.pretrain.epochs", "integer", "'ten'"]),
        ("size: 64", "size: -3", 12, ["batch.size", "greater than 0"]),
        ("tier: cpu", "tier: laptop", 3, ["tier", "'cpu'"]),
        (
            "of: pretrain",
            "of: pretrian",
            14,
            ["stages.knn.of", "no stage is called `pretrian`", "`pretrain`"],
        ),
    ],
)
def test_each_mistake_is_told_with_its_line(
    write_recipe: Write, old: str, new: str, line: int, words: list[str]
) -> None:
    write_recipe("r", GOOD.replace(old, new, 1))
    (complaint,) = complaints()
    assert complaint.startswith(f"r.yaml:{line}: ")
    assert all(word in complaint for word in words), complaint


def test_all_problems_are_told_at_once(write_recipe: Write) -> None:
    write_recipe(
        "r",
        GOOD.replace("temperature", "temprature").replace("epochs: 1", "epochs: x").replace("tier", "teir"),
    )
    told = complaints()
    assert [c.split(":")[1] for c in sorted(told)] == ["1", "11", "3", "8"] or len(told) == 4


def test_a_missing_key_is_told_where_it_belongs(write_recipe: Write) -> None:
    write_recipe("r", GOOD.replace("    epochs: 1\n", ""))
    assert complaints() == ["r.yaml:6: stages.pretrain: needs its length, as `epochs` or as `steps`"]


def test_problems_of_an_inherited_value_name_the_parent_file(write_recipe: Write) -> None:
    write_recipe("parent", GOOD.replace("epochs: 1", "epochs: x"))
    write_recipe("r", "extends: parent\ntitle: child\n")
    assert complaints()[0].startswith("parent.yaml:11: ")


def test_children_inherit_the_experiment_but_not_the_claim(write_recipe: Write) -> None:
    claim = "expected:\n- {metric: knn.top1, value: 1, delta: 1, source: {where: x, evidence: memory}}\n"
    write_recipe("parent", GOOD + claim + "minutes: 3\n")
    write_recipe("r", "extends: parent\ntitle: child\nstages: {pretrain: {epochs: 7, views: {count: 3}}}\n")
    recipe = load("r")
    assert recipe.stages["pretrain"].epochs == 7  # type: ignore[attr-defined]
    assert recipe.stages["pretrain"].views.count == 3  # type: ignore[attr-defined]
    assert recipe.stages["pretrain"].batch.size == 64  # type: ignore[attr-defined]
    assert recipe.expected == () and recipe.minutes is None


DEVIATIONS = """\
deviations:
- {what: precision, paper: fp32, here: bf16, why: faster}
- {what: blur, paper: PIL, here: torchvision, why: the same filter}
"""


def differences(recipe_id: str) -> list[tuple[str, str, str]]:
    return [(d.what, d.paper, d.here) for d in load(recipe_id).deviations]


def test_children_inherit_deviations_and_add_change_or_drop_them_by_name(write_recipe: Write) -> None:
    write_recipe("parent", GOOD + DEVIATIONS)
    own = "- {what: queue, paper: two, here: one, why: simpler}\n- {what: precision, paper: fp16}\n"
    write_recipe("child", f"extends: parent\ntitle: child\ndeviations:\n{own}")
    write_recipe("grandchild", "extends: child\ntitle: grandchild\ndeviations:\n- {what: blur, here: null}\n")
    write_recipe("clean", "extends: grandchild\ntitle: clean\ndeviations: []\n")
    queue, precision = ("queue", "two", "one"), ("precision", "fp16", "bf16")
    assert differences("child") == [queue, precision, ("blur", "PIL", "torchvision")]
    assert differences("grandchild") == [queue, precision]
    assert differences("clean") == []
    assert recipe_hash(load("child")) == recipe_hash(load("parent"))


@pytest.mark.parametrize(
    ("own", "complaint"),
    [
        ("- {what: queue, paper: two}", "r.yaml:4: deviations.0.here: is missing"),
        ("- {what: blur}\n- {waht: x}", "r.yaml:5: deviations.1.waht: unknown key; did you mean `what`?"),
        ("  {what: blur}", "r.yaml:3: deviations: input should be a valid tuple"),
    ],
)
def test_mistakes_in_added_deviations_are_told_with_their_line(
    write_recipe: Write, own: str, complaint: str
) -> None:
    write_recipe("parent", GOOD + DEVIATIONS)
    write_recipe("r", f"extends: parent\ntitle: child\ndeviations:\n{own}\n")
    assert any(told.startswith(complaint) for told in complaints()), complaints()


def test_another_component_drops_the_options_of_the_old_one() -> None:
    base = {"optimizer": {"name": "sgd", "lr": 1, "momentum": 0.9}}
    assert merge(base, {"optimizer": {"lr": 2}}) == {"optimizer": {"name": "sgd", "lr": 2, "momentum": 0.9}}
    assert merge(base, {"optimizer": {"name": "adam", "lr": 2}}) == {"optimizer": {"name": "adam", "lr": 2}}
    base = {"network": {"backbone": "resnet18", "stem": "cifar", "head": {"kind": "linear"}}}
    mlp = {"network": {"backbone": "mlp", "hidden": [8]}}
    assert merge(base, mlp) == {"network": {"head": {"kind": "linear"}, "backbone": "mlp", "hidden": [8]}}
    deeper = {"network": {"backbone": "resnet50"}}
    assert merge(base, deeper) == {"network": {**base["network"], "backbone": "resnet50"}}
    base = {"views": {"policy": "simclr-cifar", "count": 2, "blur": {"p": 1}}}
    assert merge(base, {"views": {"policy": "digits"}}) == {"views": {"policy": "digits", "count": 2}}


def test_the_backbone_can_be_changed_and_the_head_stays(write_recipe: Write) -> None:
    resnet = GOOD.replace("backbone: mlp, hidden: [8]", "backbone: resnet18, stem: cifar")
    write_recipe("parent", resnet)
    write_recipe(
        "r", "extends: parent\ntitle: child\nstages: {pretrain: {network: {backbone: mlp, hidden: [8]}}}\n"
    )
    of_a_child = load("r").stages["pretrain"].network  # type: ignore[attr-defined]
    overridden = load("parent", ["stages.pretrain.network={backbone: mlp, hidden: [8]}"])
    assert of_a_child == overridden.stages["pretrain"].network  # type: ignore[attr-defined]
    assert (of_a_child.backbone, of_a_child.head.out) == ("mlp", 4)


def test_a_null_takes_away_what_was_inherited(write_recipe: Write) -> None:
    write_recipe("parent", GOOD.replace("kind: knn,", "kind: knn, k: 5,") + "minutes: 3\nmemory_gb: 2\n")
    text = "extends: parent\ntitle: child\nmemory_gb: null\nstages: {knn: {k: null}}\n"
    write_recipe("r", text)
    assert load("r").stages["knn"].k == 200 and load("r").memory_gb is None  # type: ignore[attr-defined]
    assert load("r") == load("r", ["stages.knn.k=null"])
    write_recipe("without", text.replace("{k: null}", "null"))
    assert list(load("without").stages) == list(load("parent", ["stages.knn=null"]).stages) == ["pretrain"]
    write_recipe("r", text.replace("{knn: {k: null}}", "{pretrain: {epochs: null, views: {flip: null}}}"))
    assert complaints() == ["r.yaml:4: stages.pretrain: needs its length, as `epochs` or as `steps`"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"r": "extends: r\n"}, ["extends itself", "r → r"]),
        ({"r": "extends: s\n", "s": "extends: r\n"}, ["extends itself", "r → s → r"]),
        ({"r": "extends: nothing\n"}, ["no recipe `nothing`"]),
        ({"r": "extends: [1]\n"}, ["no recipe"]),
        ({"r": ""}, ["empty"]),
        ({"r": "# only a comment\n"}, ["empty"]),
        ({"r": "just words\n"}, ["expected `key: value`"]),
        ({"r": "a: [1\n"}, ["not valid YAML"]),
        ({"r": "tier: cpu\ntier: gpu\n"}, ["r.yaml:2", "given twice"]),
        ({"r": "b: 2\na: &x 1\n"}, ["r.yaml:2", "anchors and aliases"]),
        ({"r": "a: 1\n" * 2_500_000}, ["12.5 MB is too large"]),
        ({"r": "a: \x00\n"}, ["not valid YAML"]),
        ({"r": "? [a, b]\n: 1\n"}, ["not valid YAML"]),
    ],
)
def test_unusable_files_get_one_clear_line(
    write_recipe: Write, files: dict[str, str], words: list[str]
) -> None:
    for name, text in files.items():
        write_recipe(name, text)
    with pytest.raises(UserError) as caught:
        load("r")
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_recipe_suggests_the_nearest(write_recipe: Write) -> None:
    write_recipe("supcon-cifar100", GOOD)
    with pytest.raises(UserError, match="did you mean `supcon-cifar100`"):
        load("supcon-cifar10O")


def test_overrides_change_values_and_the_hash(write_recipe: Write) -> None:
    write_recipe("r", GOOD)
    changed = load("r", ["stages.pretrain.epochs=10", "stages.pretrain.optimizer={name: adam, lr: 1e-3}"])
    assert changed.stages["pretrain"].epochs == 10  # type: ignore[attr-defined]
    assert changed.stages["pretrain"].optimizer.name == "adam"  # type: ignore[attr-defined]
    assert recipe_hash(changed) != recipe_hash(load("r"))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("stages.pretrain.epochs", "path.to.key=value"),
        ("stages.pretrian.epochs=1", "did you mean `pretrain`"),
        ("stages.pretrain.epochs.x=1", "single value"),
        ("stages.pretrain.epochs=[", "not valid YAML"),
        ("stages.pretrain.epoch=1", "did you mean `epochs`"),
        ("stages.pretrain.epochs=ten", "valid integer"),
        ("=1", "path.to.key=value"),
    ],
)
def test_bad_overrides_are_told(write_recipe: Write, override: str, words: str) -> None:
    write_recipe("r", GOOD)
    with pytest.raises(UserError) as caught:
        load("r", [override])
    assert words in str(caught.value)


def test_the_hash_follows_the_numbers_and_not_the_prose(write_recipe: Write) -> None:
    write_recipe("r", GOOD)
    before = recipe_hash(load("r"))
    write_recipe("r", GOOD.replace("A small one", "Another title") + "notes: prose\nseeds: [4]\n")
    assert recipe_hash(load("r")) == before
    reordered = dict(reversed(pyyaml.safe_load(GOOD).items()))
    write_recipe("r", pyyaml.safe_dump(reordered, sort_keys=False))
    assert recipe_hash(load("r")) == before
    write_recipe("r", GOOD.replace("kind: knn", "kind: knn, k: 200"))  # the default, written out
    assert recipe_hash(load("r")) == before
    for old, new in [
        ("0.1}", "0.11}"),
        ("64", "65"),
        ("digits\n", "mnist\n"),
        ("kind: knn", "kind: knn, k: 20"),
    ]:
        write_recipe("r", GOOD.replace(old, new))
        assert recipe_hash(load("r")) != before, new


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4), ("1.5E3", 1500.0), ("-.5", -0.5), ("3", 3), ("true", True), ("no", "no"),
        ("on", "on"), ("2020-01-01", "2020-01-01"), ("1e", "1e"), (".", "."), ("0.1.2", "0.1.2"),
    ],
)  # fmt: skip
def test_scalars_mean_what_they_look_like(text: str, value: object) -> None:
    assert yaml.parse(text) == value and type(yaml.parse(text)) is type(value)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8"), max_size=80), st.integers(0, len(GOOD)), st.integers(0, 40))
def test_no_text_gives_anything_but_a_recipe_or_a_clear_error(
    write_recipe: Write, text: str, at: int, cut: int
) -> None:
    write_recipe("r", GOOD[:at] + text + GOOD[at + cut :])
    try:
        load("r")
    except UserError as error:
        assert str(error)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(["stages", "expected", "dataset", "seeds", "extends", "deviations", "paper", "tier"]),
)
def test_no_value_of_a_key_gives_anything_but_a_clear_error(
    write_recipe: Write, value: object, key: str
) -> None:
    write_recipe("r", pyyaml.safe_dump({**pyyaml.safe_load(GOOD), key: value}, allow_unicode=True))
    try:
        load("r")
    except UserError as error:
        assert str(error)


def test_every_recipe_of_the_project_loads() -> None:
    assert [load(recipe_id).id for recipe_id in ids()] == list(ids())


def test_an_ordering_from_an_abstract_says_what_the_abstract_says() -> None:
    bare = [
        f"{recipe.id}: {e.metric}"
        for recipe in map(load, ids())
        for e in recipe.expected
        if e.what == "direction" and e.source.evidence == "abstract" and len(e.source.where.split()) < 5
    ]
    assert bare == []


def test_a_stage_with_an_optimizer_says_that_it_trains() -> None:
    options = {
        name: components.find(("stages", "experiments"), name)
        for name in components.names(("stages", "experiments"))
    }
    steps = {name for name, o in options.items() if {"optimizer", "lr"} & set(o.model_fields)}
    trains = {name for name, o in options.items() if issubclass(o, StageOptions) and o.trains}
    assert steps - trains == {"radioactive_marks"}  # moves images, not weights
