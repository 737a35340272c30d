"""Measures against slow transcriptions of their definitions, closed forms and invariances."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional as F

from repro import components
from repro.data.images import image_set
from repro.data.table import Table
from repro.engine.run import Run
from repro.engine.setup import set_up
from repro.errors import UserError
from repro.keys import generator
from repro.measures.base import Measured
from repro.measures.calibration import calibration_error
from repro.measures.clusters import matched
from repro.measures.logistic import best, held_out
from repro.recipes.load import load as load_recipe
from repro.stages.evaluate import as_known
from tests.conftest import Write
from tests.test_recipes import GOOD

CLASSES = 4


def measured(features: Tensor, labels: Tensor | None = None, key: int = 5, **fields: Any) -> Measured:
    """A set whose field `b`, if there is one, holds the features of a second sentence."""
    known = {} if labels is None else {"label": labels}
    table = Table(
        fields={"x": features, **known, **fields}, name="t", split="test", shape=(1,), classes=CLASSES
    )
    return Measured(table, lambda field: fields[field] if field else features, dict, key)


def measure(name: str, *sets: Measured, **options: Any) -> dict[str, float]:
    chosen = components.options_for(("measures",), "name", {"name": name, **options})
    found = components.load(("measures",), name)(chosen)(*sets)
    assert set(found) <= set(chosen.metrics)  # type: ignore[attr-defined]
    return dict(found)


def drawn(n: int, d: int = 3, seed: int = 0, classes: int = CLASSES) -> tuple[Tensor, Tensor]:
    """Features (n, d) around a centre for each class, and labels (n,)."""
    g = generator(seed)
    labels = torch.randint(0, classes, (n,), generator=g)
    return torch.randn(n, d, generator=g) + torch.randn(classes, d, generator=generator(99))[labels], labels


def test_every_measure_is_found_and_says_what_it_gives() -> None:
    names = components.names(("measures",))
    assert {"knn", "ridge", "logistic", "retrieval", "sts", "clusters", "episodes"} <= set(names)
    assert {"accuracy", "calibration", "groups", "outliers", "regression", "loss"} <= set(names)
    assert list(components.faults()) == []


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_retrieval_is_that_of_a_slow_count(distance: str) -> None:
    x, labels = drawn(60)
    labels[0] = 17  # the only one of its class is no query, but is found by others
    found = measure("retrieval", measured(x, labels), k=[1, 3, 100], distance=distance)
    hits: dict[int, list[bool]] = {1: [], 3: [], 100: []}
    average, precision = [], []
    for q in range(1, 60):
        near = [
            float(F.cosine_similarity(x[q], x[i], dim=0) if distance == "cosine" else -(x[q] - x[i]).norm())
            for i in range(60)
        ]
        order = sorted((i for i in range(60) if i != q), key=lambda i: -near[i])
        right = [bool(labels[i] == labels[q]) for i in order]
        r = sum(right)
        for k, several in hits.items():
            several.append(any(right[:k]))
        precision.append(sum(right[:r]) / r)
        average.append(sum(sum(right[: i + 1]) / (i + 1) for i in range(r) if right[i]) / r)
    expected = {f"recall_at_{k}": 100 * np.mean(several) for k, several in hits.items()}
    expected |= {"map_at_r": 100 * np.mean(average), "r_precision": 100 * np.mean(precision)}
    assert found == pytest.approx(expected, rel=1e-6)


def test_retrieval_needs_a_class_with_two_samples() -> None:
    with pytest.raises(UserError, match="no class has two samples"):
        measure("retrieval", measured(torch.eye(3), torch.arange(3)))


def test_the_nearest_neighbour_s_class_is_that_of_a_slow_search() -> None:
    (x, labels), (y, truth) = drawn(80), drawn(30, seed=1)
    found = measure("knn", measured(x, labels), measured(y, truth), k=1)
    nearest = [labels[F.cosine_similarity(one[None], x).argmax()] for one in y]
    right = [int(a == b) for a, b in zip(nearest, truth, strict=True)]
    assert found["top1"] == pytest.approx(100 * np.mean(right))


def test_ridge_is_the_closed_form() -> None:
    (x, labels), (y, truth) = drawn(90), drawn(40, seed=1)
    found = measure("ridge", measured(x, labels), measured(y, truth), alpha=3.0)
    mean, std = x.double().mean(0), x.double().std(0, correction=0)
    a, b = (x - mean) / std, (y - mean) / std
    target = 2 * F.one_hot(labels).double() - 1
    w = torch.linalg.solve(a.T @ a + 3.0 * torch.eye(3).double(), a.T @ (target - target.mean(0)))
    expected = ((b @ w + target.mean(0)).argmax(1) == truth).double().mean()
    assert found["top1"] == pytest.approx(100 * float(expected))


def test_ridge_predicts_numbers_in_closed_form() -> None:
    x, y, w = drawn(90)[0], drawn(40, seed=1)[0], torch.tensor([1.0, -2.0, 0.5])
    a, b = (measured(one, target=one @ w + 3) for one in (x, y))
    near = measure("ridge", a, b, alpha=1e-9, target="target")
    assert near == pytest.approx({"rmse": 0, "mae": 0, "r2": 1}, abs=1e-5)
    far = measure(
        "ridge", a, b, alpha=1e12, target="target"
    )  # the mean of the training samples is all that is left
    assert far["rmse"] == pytest.approx(
        float((y @ w + 3 - (x @ w + 3).mean()).square().mean().sqrt()), rel=1e-4
    )


def test_ridge_takes_the_alpha_that_leaving_one_out_prefers() -> None:
    x, labels = drawn(60, d=20)
    tried = {}
    for alpha in (1e-3, 1e4):
        errors = []
        for i in range(60):
            keep = torch.arange(60) != i
            target = 2 * F.one_hot(labels[keep]).double() - 1
            a = x[keep].double() - x[keep].double().mean(0)
            w = torch.linalg.solve(a.T @ a + alpha * torch.eye(20).double(), a.T @ (target - target.mean(0)))
            out = (x[i].double() - x[keep].double().mean(0)) @ w + target.mean(0)
            errors.append(float((out - (2 * F.one_hot(labels[i], CLASSES) - 1)).square().mean()))
        tried[alpha] = np.mean(errors)
    better = min(tried, key=lambda alpha: tried[alpha])
    test = measured(*drawn(200, d=20, seed=1))
    several = measure("ridge", measured(x, labels), test, alpha=[1e-3, 1e4])
    assert several == measure("ridge", measured(x, labels), test, alpha=better)
    assert several != measure("ridge", measured(x, labels), test, alpha=(set(tried) - {better}).pop())


def test_the_logistic_measure_minimises_its_objective() -> None:
    (x, labels), (y, truth) = drawn(90), drawn(40, seed=1)
    found = measure("logistic", measured(x, labels), measured(y, truth), C=0.3)
    mean, std = x.double().mean(0), x.double().std(0, correction=0)
    w, bias = (
        torch.zeros(3, CLASSES).double().requires_grad_(),
        torch.zeros(CLASSES).double().requires_grad_(),
    )
    optimizer = torch.optim.LBFGS([w, bias], max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-9)

    def closure() -> Tensor:
        optimizer.zero_grad()
        logits = ((x - mean) / std) @ w + bias
        loss = 0.5 * w.square().sum() + 0.3 * F.cross_entropy(logits, labels, reduction="sum")
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    expected = ((((y - mean) / std) @ w + bias).argmax(1) == truth).double().mean()
    assert found["top1"] == pytest.approx(100 * float(expected))


def test_of_several_weights_the_best_on_held_out_training_samples_is_taken() -> None:
    (x, labels), test = drawn(200, d=30), measured(*drawn(200, d=30, seed=1))
    tried = held_out(x, labels, (1e-4, 1.0), "standardised", 100, 3)
    assert best(tried) == max(tried, key=lambda C: (tried[C], -C))
    assert best({1.0: 50.0, 0.1: 50.0, 10.0: 40.0}) == 0.1
    both = measure("logistic", measured(x, labels), test, C=[1e-4, 1.0])
    assert both in [measure("logistic", measured(x, labels), test, C=C) for C in (1e-4, 1.0)]


def ranks(values: list[float]) -> list[float]:
    """1 for the smallest; of equals the mean of their places."""
    return [
        sum(other < v for other in values) + (sum(other == v for other in values) + 1) / 2 for v in values
    ]


def test_sts_is_the_correlation_of_cosines_with_scores() -> None:
    first, second = drawn(40)[0], drawn(40, seed=2)[0]
    score = torch.randint(0, 6, (40,), generator=generator(3)).float()  # with ties
    found = measure("sts", measured(first, b=second, score=score), other="b")
    cosine = [float(a @ b / (a.norm() * b.norm())) for a, b in zip(first, second, strict=True)]

    def correlation(a: list[float], b: list[float]) -> float:
        u, v = np.array(a) - np.mean(a), np.array(b) - np.mean(b)
        return 100 * float(u @ v / math.sqrt((u @ u) * (v @ v)))

    assert found["pearson"] == pytest.approx(correlation(cosine, score.tolist()), rel=1e-4)
    assert found["spearman"] == pytest.approx(correlation(ranks(cosine), ranks(score.tolist())), rel=1e-4)


def test_a_field_that_is_not_there_is_told_with_the_nearest() -> None:
    x = drawn(5)[0]
    with pytest.raises(UserError, match=r"t, split test: there is no field `scores`; did you mean `score`"):
        measure("sts", measured(x, b=x, score=torch.zeros(5)), score="scores", other="b")
    with pytest.raises(UserError, match="same score or cosine"):
        measure("sts", measured(x, b=x, score=torch.zeros(5)), other="b")
    with pytest.raises(UserError, match="needs a label for every sample"):
        measure("retrieval", measured(x))


@pytest.mark.parametrize("clusters", [2, 3, 5])
def test_clusters_are_matched_with_classes_in_the_best_way(clusters: int) -> None:
    g = np.random.default_rng(clusters)
    found, labels = g.integers(0, clusters, 50), g.integers(0, 4, 50)
    few, many = (found, labels) if clusters <= 4 else (labels, found)
    most = max(
        np.mean(np.array(chosen)[few] == many)
        for chosen in itertools.permutations(range(max(clusters, 4)), min(clusters, 4))
    )
    assert matched(found, labels) == pytest.approx(most)


def test_the_scores_of_clusters_are_their_definitions() -> None:
    x, labels = drawn(80, d=5)
    found = measure("clusters", measured(x, labels), by="outputs")
    clusters = x.argmax(1).tolist()
    both, ours = Counter(zip(clusters, labels.tolist(), strict=True)), Counter(clusters)
    theirs = Counter(labels.tolist())
    mutual = sum(n / 80 * math.log(80 * n / (ours[a] * theirs[b])) for (a, b), n in both.items())
    entropies = [-sum(n / 80 * math.log(n / 80) for n in c.values()) for c in (ours, theirs)]
    assert found["nmi"] == pytest.approx(100 * mutual / np.mean(entropies))
    geometric = measure("clusters", measured(x, labels), by="outputs", average="geometric")
    assert geometric["nmi"] == pytest.approx(100 * mutual / math.sqrt(math.prod(entropies)))
    pairs = [sum(math.comb(n, 2) for n in c.values()) for c in (both, ours, theirs)]
    chance = pairs[1] * pairs[2] / math.comb(80, 2)
    assert found["ari"] == pytest.approx(100 * (pairs[0] - chance) / ((pairs[1] + pairs[2]) / 2 - chance))


def test_kmeans_finds_clusters_that_are_far_apart_and_is_keyed() -> None:
    labels = torch.arange(60) % CLASSES
    x = 50 * torch.eye(CLASSES)[labels] + torch.randn(60, CLASSES, generator=generator(0))
    assert measure("clusters", measured(x, labels)) == pytest.approx({"acc": 100, "nmi": 100, "ari": 100})
    y, truth = drawn(300, d=8)
    once = [measure("clusters", measured(y, truth, key=k), starts=1, count=9) for k in (1, 1, 2)]
    assert once[0] == once[1] != once[2]
    with pytest.raises(UserError, match="60 samples do not form 61 clusters"):
        measure("clusters", measured(x, labels), count=61)


@pytest.mark.parametrize(
    ("distance", "scale"), [("cosine", 1.0), ("euclidean", 1.0), ("attention", 1.0), ("attention", 9.0)]
)
def test_episodes_are_classified_as_a_slow_reading_does(distance: str, scale: float) -> None:
    from repro.data.samplers.episodes import Episodes
    from repro.data.samplers.episodes_options import EpisodesOptions
    from repro.keys import key

    x, labels = drawn(200)
    data = measured(x, labels)
    options = {"way": 3, "shots": 2, "queries": 4, "count": 60, "distance": distance, "scale": scale}
    found = measure("episodes", data, **options)
    o = EpisodesOptions(name="episodes", way=3, shots=2, queries=4)
    shares = []
    for index in Episodes(o, data.table, 60, key(5, "episodes")).index(0):
        right = []
        for own, q in itertools.product(range(3), range(2, 6)):
            query, scores = x[index[own, q]], []
            for c in range(3):
                support = [x[i] for i in index[c, :2]]
                if distance == "attention":
                    scores.append(
                        sum(math.exp(scale * float(F.cosine_similarity(query, s, dim=0))) for s in support)
                    )
                else:
                    mean = sum(support) / 2
                    near = F.cosine_similarity(query, mean, dim=0)  # type: ignore[arg-type]
                    scores.append(float(near if distance == "cosine" else -(query - mean).norm()))
            right.append(scores.index(max(scores)) == own)
        shares.append(100 * np.mean(right))
    assert found["accuracy"] == pytest.approx(np.mean(shares))
    assert found["interval"] == pytest.approx(1.96 * np.std(shares, ddof=1) / math.sqrt(60))


def test_episodes_are_the_same_however_many_follow_and_by_chance_on_noise() -> None:
    x, labels = torch.randn(400, 5, generator=generator(0)), torch.arange(400) % CLASSES
    found = measure("episodes", measured(x, labels), way=4, shots=1, count=2000, queries=2)
    assert abs(found["accuracy"] - 25) < 2 * found["interval"]
    one = measure("episodes", measured(x, labels), way=4, shots=1, count=1)
    assert one["interval"] == 0
    with pytest.raises(UserError, match="classes"):
        measure("episodes", measured(x, labels), way=5, shots=1)


def test_accuracy_is_of_the_largest_logits() -> None:
    x, labels = drawn(50, d=7)
    found = measure("accuracy", measured(x, labels))
    order = [sorted(range(7), key=lambda c: -row[c]) for row in x.tolist()]
    for name, k in (("top1", 1), ("top5", 5)):
        share = np.mean([int(c) in first[:k] for c, first in zip(labels, order, strict=True)])
        assert found[name] == pytest.approx(100 * share)
    with pytest.raises(UserError, match="2 outputs, too few"):
        measure("accuracy", measured(x[:, :2], labels))


def test_calibration_is_that_of_a_slow_count() -> None:
    x, labels = drawn(300, d=CLASSES)
    found = measure("calibration", measured(x, labels), bins=15)
    p = (x.double().exp() / x.double().exp().sum(1, keepdim=True)).tolist()
    truth = labels.tolist()
    error = 0.0
    for m in range(1, 16):
        own = [(max(row), row.index(max(row)) == c) for row, c in zip(p, truth, strict=True)]
        own = [(conf, right) for conf, right in own if (m - 1) / 15 < conf <= m / 15]
        if own:
            error += len(own) / 300 * abs(np.mean([r for _, r in own]) - np.mean([conf for conf, _ in own]))
    rows = list(zip(p, truth, strict=True))
    assert found["ece"] == pytest.approx(100 * error)
    assert found["nll"] == pytest.approx(np.mean([-math.log(row[c]) for row, c in rows]))
    brier = [sum((row[j] - (j == c)) ** 2 for j in range(CLASSES)) for row, c in rows]
    assert found["brier"] == pytest.approx(np.mean(brier))


def test_the_calibration_error_of_known_cases() -> None:
    right = torch.tensor([True, False, True, True])
    assert calibration_error(torch.full((4,), 0.75), right, 15) == pytest.approx(0)
    assert calibration_error(torch.ones(4), right, 15) == pytest.approx(0.25)
    assert calibration_error(torch.zeros(4), right, 15) == pytest.approx(0.75)
    huge = measured(torch.tensor([[1e6, 0.0], [0.0, 1e6]]), torch.tensor([0, 0]))
    assert measure("calibration", huge) == pytest.approx({"ece": 50, "nll": 5e5, "brier": 1, "top1": 50})


@pytest.mark.parametrize("score", ["softmax", "logit", "energy", "knn"])
def test_outliers_are_told_as_a_slow_count_does(score: str) -> None:
    (x, _), (y, _), (bank, _) = drawn(41), drawn(60, seed=1), drawn(30, seed=2)
    y = y - 0.5
    options = {"against": {"set": "svhn"}, "score": score, "k": 3, "temperature": 2.0}
    train = [measured(bank)] if score == "knn" else []
    found = measure("outliers", *train, measured(y), measured(x), **options)

    def value(one: Tensor) -> float:
        if score == "knn":
            return float(F.cosine_similarity(one[None], bank).sort(descending=True).values[2])
        if score == "softmax":
            return float((one.double() / 2).softmax(0).max())
        return (
            float(one.max()) if score == "logit" else 2 * math.log(sum(math.exp(v / 2) for v in one.tolist()))
        )

    known, unknown = ([value(one) for one in several] for several in (x, y))
    wins = [(a > b) + (a == b) / 2 for a in known for b in unknown]
    assert found["auroc"] == pytest.approx(100 * np.mean(wins), abs=1e-4)
    threshold = sorted(known, reverse=True)[math.ceil(0.95 * 41) - 1]
    assert found["fpr95"] == pytest.approx(100 * np.mean([b >= threshold for b in unknown]))
    precisions = [sum(o >= a for o in known) / sum(o >= a for o in known + unknown) for a in known]
    assert found["aupr"] == pytest.approx(100 * np.mean(precisions), rel=1e-4)


def test_the_kth_neighbour_must_exist() -> None:
    x = drawn(5)[0]
    with pytest.raises(UserError, match="of 5 samples there is no 6-th nearest"):
        measure("outliers", *[measured(x)] * 3, against={"set": "svhn"}, score="knn", k=6)


def test_the_worst_group_is_that_with_the_lowest_accuracy() -> None:
    x, labels = drawn(200, d=CLASSES)
    place = torch.randint(0, 2, (200,), generator=generator(4))
    found = measure("groups", measured(x, labels, place=place), by=["place", "label"])
    groups: dict[tuple[int, int], list[bool]] = {}
    for row, c, p in zip(x, labels, place, strict=True):
        groups.setdefault((int(p), int(c)), []).append(bool(row.argmax() == c))
    each = [100 * np.mean(own) for own in groups.values()]
    assert len(each) == 8
    expected = {"worst_group": min(each), "mean_group": np.mean(each), "gap": max(each) - min(each)}
    expected["top1"] = 100 * np.mean((x.argmax(1) == labels).tolist())
    assert found == pytest.approx(expected)
    with pytest.raises(UserError, match="field `x` has several numbers a sample"):
        measure("groups", measured(x, labels), by=["x"])


@pytest.mark.parametrize("width", [1, 2])
def test_regression_errors_are_their_definitions(width: int) -> None:
    x, target = drawn(30, d=width)[0], torch.randn(30, width, generator=generator(2))
    found = measure("regression", measured(x, target=target if width > 1 else target[:, 0]))
    error = (x - target).double()
    assert found["rmse"] == pytest.approx(error.square().mean(0).sqrt().mean().item())
    assert found["mae"] == pytest.approx(error.abs().mean().item())
    explained = 1 - error.square().sum(0) / (target - target.mean(0)).double().square().sum(0)
    assert found["r2"] == pytest.approx(explained.mean().item())
    with pytest.raises(UserError, match="3 outputs for a sample, and field `target` 1 numbers"):
        measure("regression", measured(drawn(30)[0], target=target[:, 0]))


def test_images_of_another_set_are_normalised_as_the_known_ones() -> None:
    known, other = (
        image_set(
            torch.zeros(2, 1, 4, 4, dtype=torch.uint8),
            torch.zeros(2).long(),
            name="t",
            split="test",
            mean=(m,),
            std=(0.5,),
        )
        for m in (0.1, 0.9)
    )
    assert as_known(other, known).mean == (0.1,) and as_known(known, known).mean == known.mean


EVERY = {
    "a": "{name: knn, k: 5}",
    "b": "{name: ridge, alpha: [0.1, 1.0]}",
    "c": "{name: logistic, C: [0.1, 1.0]}",
    "d": "{name: retrieval}",
    "e": "{name: clusters, starts: 2}",
    "f": "{name: episodes, way: 5, shots: 1, queries: 3, count: 20}",
    "g": "{name: accuracy}",
    "h": "{name: calibration}",
    "i": "{name: groups, by: [label]}",
    "j": "{name: outliers, score: knn, against: {slice: {classes: [0, 1]}}}",
}
STAGES = "".join(
    f"  {name}: {{kind: evaluate, of: pretrain, measure: {one}}}\n" for name, one in EVERY.items()
)
CLASSIFIER = GOOD.replace("{name: supcon, temperature: 0.1}", "{name: cross_entropy}").replace(
    "head: {kind: mlp, hidden: 8, out: 4}", "head: {kind: linear}"
)


@pytest.mark.parametrize("smoke", [True, False])
def test_a_stage_gives_what_its_measure_declares(write_recipe: Write, smoke: bool) -> None:
    write_recipe("r", CLASSIFIER + STAGES)
    recipe = load_recipe("r")
    metrics = Run(recipe, 0, set_up("cpu", "fp32"), smoke=smoke).execute().metrics
    declared = {f"{name}.{m}" for name in EVERY for m in recipe.stages[name].metrics}
    assert declared <= set(metrics) and all(math.isfinite(value) for value in metrics.values())
    assert metrics["g.top1"] == metrics["h.top1"] == metrics["i.top1"]  # all of encoder and head


def test_a_measure_of_logits_needs_a_classifier(write_recipe: Write) -> None:
    write_recipe("r", GOOD + "  x: {kind: evaluate, of: pretrain, measure: {name: calibration}}\n")
    with pytest.raises(Exception, match="leaves no classifier"):
        load_recipe("r")


def test_one_split_does_not_stand_for_two() -> None:
    stage = {"kind": "evaluate", "of": "train", "data": {"split": "test"}}
    with pytest.raises(ValidationError, match="name the evaluated one with `split:`"):
        components.options_for(("stages",), "kind", {**stage, "measure": {"name": "knn"}})
    components.options_for(("stages",), "kind", {**stage, "measure": {"name": "retrieval"}})
