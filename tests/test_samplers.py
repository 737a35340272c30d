"""Which samples form a batch: functions of the key and the step alone, drawn as their definitions say."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from repro import components
from repro.data.samplers.base import Sampler
from repro.data.table import Table
from repro.errors import UserError
from repro.keys import generator

CLASSES = 7


def table(samples: int = 200, labels: Tensor | None = None) -> Table:
    drawn = torch.randint(0, CLASSES, (samples,), generator=generator(1)) if labels is None else labels
    fields = {"x": torch.zeros(len(drawn), 2), "label": drawn}
    return Table(fields=fields, name="t", split="train", shape=(2,), classes=CLASSES)


def sampler(name: str, rows: int, data: Table | None = None, key: int = 3, **options: Any) -> Any:
    folders = ("data.samplers",)
    chosen = components.options_for(folders, "name", {"name": name, **options})
    return components.load(folders, name)(chosen, data or table(), rows, key)


EVERY = {
    "shuffled": {},
    "sequential": {},
    "balanced": {},
    "pairs": {"partner": "same"},
    "classes": {"each": 4},
    "episodes": {"way": 3, "shots": 2, "queries": 3},
}


@pytest.mark.parametrize("name", EVERY)
def test_a_step_is_the_same_whenever_it_is_asked_for(name: str) -> None:
    one, other = (sampler(name, 5, **EVERY[name]) for _ in range(2))
    forward = [one.index(step) for step in range(6)]
    assert all(torch.equal(other.index(step), forward[step]) for step in reversed(range(6)))
    assert all(x.shape == (5, *one.group) and x.dtype == torch.int64 for x in forward)
    assert not torch.equal(forward[0], forward[1])
    other = sampler(name, 5, key=4, **EVERY[name]).index(0)
    assert torch.equal(other, forward[0]) == (name == "sequential")
    assert isinstance(one, Sampler) and one.per_epoch >= 1


def test_every_kind_of_sampler_is_tried() -> None:
    assert set(EVERY) == set(components.names(("data.samplers",)))


def test_shuffled_epochs_follow_one_another() -> None:
    data = table(10)
    steps = [sampler("shuffled", 4, data).index(step) for step in range(5)]
    order = torch.cat(steps)
    assert sorted(order[:10].tolist()) == sorted(order[10:].tolist()) == list(range(10))
    assert not torch.equal(order[:10], order[10:])


def test_sequential_batches_go_round() -> None:
    drawn = sampler("sequential", 4, table(10))
    assert torch.cat([drawn.index(step) for step in range(5)]).tolist() == [*range(10), *range(10)]


def test_an_episode_has_classes_and_samples_without_replacement() -> None:
    data = table()
    drawn = sampler("episodes", 4, data, way=3, shots=2, queries=3)
    assert drawn.group == (3, 5)
    seen = torch.zeros(CLASSES)
    for step in range(50):
        for episode in drawn.index(step):
            labels = data.labels[episode]
            assert (labels == labels[:, :1]).all() and len(set(labels[:, 0].tolist())) == 3
            assert len(set(episode.flatten().tolist())) == 15
            seen[labels[:, 0]] += 1
    assert (seen / seen.sum() - 1 / CLASSES).abs().max() < 0.03  # 600 draws of a seventh each
    share = torch.stack([drawn.index(step) for step in range(400)]).flatten().bincount(minlength=200)
    expected = 24_000 / CLASSES / data.labels.bincount()[data.labels]
    assert ((share - expected) / expected.sqrt()).abs().max() < 5


def test_a_batch_of_classes_has_each_of_them_once() -> None:
    data = table()
    for step in range(20):
        labels = data.labels[sampler("classes", 5, data, each=4).index(step)]
        assert (labels == labels[:, :1]).all() and len(set(labels[:, 0].tolist())) == 5


def test_classes_that_are_too_small_are_left_out_and_too_few_are_told() -> None:
    data = table(labels=torch.tensor([0] * 5 + [1] * 5 + [2] * 2 + [-1] * 5))
    labels = torch.stack([data.labels[sampler("classes", 2, data, each=3).index(s)] for s in range(20)])
    assert set(labels.flatten().tolist()) == {0, 1}
    with pytest.raises(UserError, match="2 classes have 3 samples or more, and a batch needs 3"):
        sampler("classes", 3, data, each=3)
    with pytest.raises(UserError, match="needs 3 such classes"):
        sampler("episodes", 1, data, way=3, shots=2, queries=1)


@pytest.mark.parametrize("partner", ["any", "same", "other"])
def test_partners_are_of_the_class_that_is_asked_for(partner: str) -> None:
    data = table()
    drawn = sampler("pairs", 50, data, partner=partner)
    pairs = torch.cat([drawn.index(step) for step in range(400)])
    same = data.labels[pairs[:, 0]] == data.labels[pairs[:, 1]]
    if partner != "any":
        assert same.all() if partner == "same" else not same.any()
    share = (data.labels.bincount() / 200).square().sum()  # by chance
    assert partner != "any" or abs(same.float().mean() - share) < 0.02
    assert set(pairs[:, 1].tolist()) == set(range(200))


def test_balanced_batches_have_all_classes_alike() -> None:
    data = table(labels=torch.tensor([0] * 90 + [1] * 9 + [2]))
    labels = data.labels[torch.cat([sampler("balanced", 30, data).index(s) for s in range(200)])]
    assert (labels.bincount() / 6000 - 1 / 3).abs().max() < 0.03


def test_pairs_by_class_need_labels() -> None:
    with pytest.raises(UserError, match="need a label for every sample"):
        sampler("pairs", 2, table(labels=torch.tensor([0, 1, -1])), partner="same")
