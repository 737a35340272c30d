"""Which rows take part, or with which labels."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from repro import components
from repro.data.slices.base import balanced
from repro.data.table import Table
from repro.errors import UserError
from repro.keys import generator, permutation
from repro.options.data import SliceSpec

SAMPLES, CLASSES = 400, 5
READ = TypeAdapter(SliceSpec)


def table() -> Table:
    labels = torch.randint(0, CLASSES, (SAMPLES,), generator=generator(1))
    fields = {"x": torch.arange(SAMPLES)[:, None].float(), "label": labels}
    return Table(fields=fields, name="t", split="train", shape=(1,), classes=CLASSES)


def cut(value: Any, data: Table | None = None, key: int = 7, **left: Any) -> Table:
    result = data or table()
    for one in READ.validate_python(value):
        result = components.load(("data.slices",), one.name)(one)(result, key, **left)
    return result


def rows(data: Table) -> list[int]:
    return data["x"][:, 0].long().tolist()


def test_few_labels_of_each_class_are_among_more() -> None:
    four, more = cut({"per_class": 4}), cut({"per_class": 25})
    assert (
        four.labels.bincount().tolist() == [4] * CLASSES and more.labels.bincount().tolist() == [25] * CLASSES
    )
    assert set(rows(four)) < set(rows(more)) and rows(four) == sorted(rows(four))
    kept = cut({"per_class": {"count": 4, "keep": True}})
    assert len(kept) == SAMPLES and (kept.labels >= 0).nonzero()[:, 0].tolist() == rows(four)
    assert rows(cut({"per_class": 4}, key=8)) != rows(four)
    with pytest.raises(UserError, match=r"class . has .. samples, and the slice `per_class` asks for 300"):
        cut({"per_class": 300})


def test_a_fraction_is_that_of_fine_tuning() -> None:
    assert rows(cut({"fraction": 0.1})) == balanced(table().labels, 0.1, 7).tolist()


def test_a_share_is_rounded_as_python_rounds_it() -> None:
    """0.07 · 150 is a little above 10.5 in double precision, and 10.5 in single, which would be rounded to 10."""
    labels, order = torch.zeros(150, dtype=torch.int64), permutation(7, 150).tolist()
    assert balanced(labels, 0.07, 7).tolist() == sorted(order[: round(0.07 * 150)]) == sorted(order[:11])


def test_a_long_tail_has_the_exponential_profile() -> None:
    counts, whole = cut({"long_tail": 10}).labels.bincount(), table().labels.bincount()
    expected = [int(int(n) * 10 ** (-c / 4) + 1e-9) for c, n in enumerate(whole)]
    assert counts.tolist() == expected and set(rows(cut({"long_tail": 20}))) < set(
        rows(cut({"long_tail": 10}))
    )


def test_label_noise_changes_the_share_that_it_says() -> None:
    clean = table().labels
    for kind, changed in (("symmetric", 0.4 * (1 - 1 / CLASSES)), ("other", 0.4), ("pair", 0.4)):
        noisy = cut({"label_noise": {"rate": 0.4, "kind": kind}})
        wrong = noisy.labels != clean
        assert abs(wrong.float().mean() - changed) < 0.08
        assert torch.equal(noisy["clean_label"], clean)
        if kind == "pair":
            assert torch.equal(noisy.labels[wrong], (clean[wrong] + 1) % CLASSES)
    none = cut({"label_noise": 0.0})
    assert torch.equal(none.labels, clean) and none.fingerprint is None


def test_noisy_copies_are_added_to_clean_samples() -> None:
    noisy, clean = cut({"label_noise": {"rate": 1.0, "copies": 20}}), table().labels
    assert len(noisy) == 21 * SAMPLES and torch.equal(noisy.labels[:SAMPLES], clean)
    assert torch.equal(noisy["clean_label"], clean.repeat(21)) and rows(noisy) == rows(table()) * 21
    right = noisy.labels[SAMPLES:] == noisy["clean_label"][SAMPLES:]
    assert abs(right.float().mean() - 1 / CLASSES) < 0.02


def test_classes_are_divided_into_tasks() -> None:
    tasks = [cut({"classes": {"of": 3, "task": t}}) for t in range(3)]
    assert [sorted(set(t.labels.tolist())) for t in tasks] == [[0, 1], [2, 3], [4]]
    assert sorted(r for t in tasks for r in rows(t)) == list(range(SAMPLES))
    assert set(cut({"classes": {"of": 3, "up_to": 1}}).labels.tolist()) == {0, 1, 2, 3}
    renumbered = cut({"classes": {"only": [3, 1], "renumber": True}})
    assert renumbered.classes == 2
    assert torch.equal(renumbered.labels, (cut({"classes": {"only": [3, 1]}}).labels == 1).long())
    shuffled = [cut({"classes": {"of": 5, "task": t, "shuffled": True}}) for t in range(5)]
    order = [int(t.labels[0]) for t in shuffled]
    assert sorted(order) == [0, 1, 2, 3, 4] and order != [0, 1, 2, 3, 4]
    assert 2 not in cut({"classes": {"without": [2]}}).labels
    with pytest.raises(ValidationError, match="one of `only`, `without` and `of`"):
        cut({"classes": {"of": 2, "only": [1], "task": 0}})
    with pytest.raises(UserError, match="has 5 classes"):
        cut({"classes": [9]})


def test_what_is_held_out_and_the_rest_are_the_whole() -> None:
    for keyed in (True, False):
        held, rest = (cut({"held_out": {"share": 0.1, "side": s, "keyed": keyed}}) for s in ("held", "rest"))
        assert len(held) == 40 and sorted(rows(held) + rows(rest)) == list(range(SAMPLES))
        assert keyed or rows(held) == list(range(360, 400))


def test_the_first_rows() -> None:
    assert rows(cut({"head": 3})) == [0, 1, 2]
    some = rows(cut({"head": {"count": 30, "shuffled": True}}))
    assert some != list(range(30)) and set(some) < set(rows(cut({"head": {"count": 60, "shuffled": True}})))


def test_rows_at_even_distances() -> None:
    assert rows(cut({"every": 150})) == [0, 150, 300]


def test_ranges_follow_one_another() -> None:
    parts = [cut({"range": {"start": a, "stop": b}}) for a, b in ((0.0, 0.33), (0.33, 0.9), (0.9, 1.0))]
    assert [r for part in parts for r in rows(part)] == list(range(SAMPLES))
    with pytest.raises(ValidationError, match="`start` must be below `stop`"):
        cut({"range": {"start": 0.5, "stop": 0.5}})
    with pytest.raises(UserError, match="no row of 400"):
        cut({"range": {"stop": 0.001}})


def test_the_pairs_of_cifar10_need_its_classes() -> None:
    labels = torch.arange(10).repeat(40)
    noisy = cut(
        {"label_noise": {"rate": 1.0, "kind": "cifar10"}}, replace(table(), classes=10).having(label=labels)
    )
    names = ["aeroplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    changed = {names[a]: names[b] for a, b in zip(labels, noisy.labels, strict=True) if a != b}
    pairs = {"truck": "automobile", "bird": "aeroplane", "deer": "horse", "cat": "dog", "dog": "cat"}
    assert changed == pairs
    with pytest.raises(UserError, match="there are 5 classes here"):
        cut({"label_noise": {"rate": 1.0, "kind": "cifar10"}})


def test_rows_and_labels_that_a_stage_left() -> None:
    def left(stage: str, what: str, data: Table) -> Any:
        assert stage == "before" and len(data) == SAMPLES
        index = torch.tensor([5, 2])
        return SimpleNamespace(tensors={"index": index, "label": torch.tensor([4, 4])})

    assert rows(cut({"selected": "before"}, left=left)) == [5, 2]
    others = rows(cut({"selected": {"of": "before", "without": True}}, left=left))
    assert len(others) == SAMPLES - 2 and not {5, 2} & set(others)
    again = cut({"relabelled": "before"}, left=left)
    assert rows(again) == [5, 2] and again.labels.tolist() == [4, 4]
    kept = cut({"relabelled": {"of": "before", "keep": True}}, left=left)
    assert len(kept) == SAMPLES and kept.labels[[2, 5]].tolist() == [4, 4]


def test_slices_follow_one_another_as_they_are_written() -> None:
    data = cut([{"classes": [0, 1]}, {"name": "per_class", "count": 3}])
    assert data.labels.bincount().tolist() == [3, 3]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (4, "Needs a slice"),
        ({"per_clas": 4}, "did you mean `per_class`"),
        ({"per_class": {"count": 0}}, "greater than 0"),
        ([{"per_class": 4, "fraction": 0.1}], "one slice in each entry"),
    ],
)
def test_a_wrong_slice_is_told(value: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        READ.validate_python(value)


@pytest.mark.parametrize(
    "value",
    [
        {"per_class": 4},
        {"fraction": 0.1},
        {"long_tail": 10},
        {"label_noise": {"rate": 0.1, "copies": 2}},
        {"classes": {"of": 5, "up_to": 1}},
        {"classes": {"without": [0]}},
        {"head": 30},
        {"every": 7},
        {"held_out": 0.1},
        {"range": {"start": 0.25, "stop": 0.4}},
    ],
)
def test_the_plan_knows_about_how_many_rows_there_will_be(value: Any) -> None:
    labels = torch.arange(SAMPLES) % CLASSES
    data = table().having(label=labels)
    (one,) = READ.validate_python(value)
    assert one.rows(SAMPLES, CLASSES) == pytest.approx(len(cut(value, data)), abs=2)
