"""The logistic probe and fine-tuning: against scikit-learn and slow versions, and what may touch which data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional as F

from repro import paths
from repro.data.images import ImageSet
from repro.data.load import load
from repro.data.slices.base import balanced
from repro.engine import checkpoint, optim
from repro.engine.features import extract
from repro.engine.finish import finish
from repro.engine.run import Run
from repro.engine.setup import set_up
from repro.engine.stage import Context, Outcome
from repro.keys import key
from repro.measures.logistic import fitted, logits
from repro.networks.build import trained
from repro.options import Optimizer
from repro.recipes.schema import Recipe
from repro.stages.fine_tune import Tuned, some
from repro.stages.logistic_probe import LogisticProbe

TUNE = {
    "kind": "fine_tune", "of": "pretrain", "epochs": 3, "batch": {"size": 32, "drop_last": True},
    "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9}, "fraction": 0.1, "head_lr": 0.2,
}  # fmt: skip
STAGES = {
    "pretrain": {
        "kind": "train", "method": {"name": "supcon"}, "views": {"policy": "digits", "count": 2}, "epochs": 2,
        "network": {"backbone": "mlp", "hidden": [32], "norm": True, "head": {"kind": "linear", "out": 16}},
        "batch": {"size": 128}, "optimizer": {"lr": 0.1, "momentum": 0.9},
    },
    "probe": {"kind": "logistic_probe", "of": "pretrain", "C": [0.001, 0.1, 10]},
    "fixed": {"kind": "logistic_probe", "of": "pretrain", "C": 0.1},
    "unit": {"kind": "logistic_probe", "of": "pretrain", "C": 10, "features": "unit"},
    "tune": TUNE,
    "few": {**TUNE, "fraction": 0.01, "batch": {"size": 10}},
    "all": {**TUNE, "fraction": 1, "epochs": 1},
}  # fmt: skip
RECIPE = Recipe.model_validate(
    {
        "id": "r",
        "family": "f",
        "paper": "p",
        "title": "t",
        "tier": "cpu",
        "dataset": "digits",
        "stages": STAGES,
    }
)
Load = Callable[[str], ImageSet]


def digits(split: str) -> ImageSet:
    return load("digits", split)


def changed_test(split: str) -> ImageSet:
    """The digits, with the labels of the test split moved on by one."""
    data = digits(split)
    return data.having(label=(data.labels + 1) % 10) if split == "test" else data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder in which stage `pretrain` is finished."""
    folder = tmp_path_factory.mktemp("run")
    finish(context(folder, "pretrain"), RECIPE.stages["pretrain"])
    return folder


def context(folder: Path, stage: str, load: Load = digits, seed: int = 0) -> Context:
    return Context(RECIPE, stage, seed, set_up("cpu", "fp32"), folder / stage, load)


def run(folder: Path, stage: str, load: Load = digits, seed: int = 0) -> Outcome:
    """The stage's outcome, made anew."""
    ctx = context(folder, stage, load, seed)
    for file in ctx.folder.glob("*"):
        file.unlink()
    return finish(ctx, RECIPE.stages[stage])


def features(folder: Path, split: str) -> Tensor:
    """The features (n, 32) float64 of a split, from the pre-trained encoder."""
    ctx, stage = context(folder, "probe"), RECIPE.stages["pretrain"]
    encoder = trained(ctx, "pretrain", digits("train")).encoder
    return extract(ctx, encoder, digits(split), stage.views).double()  # type: ignore[attr-defined]


def scaled(x: Tensor, like: Tensor, kind: str) -> Tensor:
    if kind == "unit":
        return x / x.norm(dim=1, keepdim=True)
    spread = like.std(0, unbiased=False)
    return (x - like.mean(0)) / torch.where(spread > 0, spread, 1)  # a unit may never be active


@pytest.mark.parametrize(("stage", "C", "kind"), [("fixed", 0.1, "standardised"), ("unit", 10, "unit")])
def test_the_logistic_probe_is_scikit_learns(folder: Path, stage: str, C: float, kind: str) -> None:
    train, test = features(folder, "train"), features(folder, "test")
    direct = LogisticRegression(C=C, max_iter=1000).fit(scaled(train, train, kind), digits("train").labels)
    right = direct.predict(scaled(test, train, kind)) == digits("test").labels.numpy()
    outcome = run(folder, stage)
    assert outcome.metrics["top1"] == pytest.approx(100 * right.mean(), abs=0.3)  # one image of 360
    assert outcome.metrics["top5"] >= outcome.metrics["top1"] > 80
    assert outcome.facts["C"] == C and outcome.facts["converged"]


def test_the_fit_is_the_minimum_of_the_stated_objective(folder: Path) -> None:
    x, labels, C = features(folder, "train"), digits("train").labels, 0.3
    model = fitted(x, labels, C, "standardised", 1000)[-1]
    W, b = (torch.from_numpy(a).requires_grad_() for a in (model.coef_, model.intercept_))
    scores = scaled(x, x, "standardised") @ W.T + b
    loss = W.square().sum() / 2 + C * F.cross_entropy(scores, labels, reduction="sum")
    for gradient in torch.autograd.grad(loss, [W, b]):
        assert gradient.abs().max() < 1e-3 * C * len(x)


def test_C_is_chosen_on_a_tenth_of_the_training_split(folder: Path) -> None:
    x, labels = features(folder, "train"), digits("train").labels
    held = torch.isin(torch.arange(len(x)), balanced(labels, 0.1, key(0, "held-out")))
    accuracies = {}
    for C in (0.001, 0.1, 10):
        direct = LogisticRegression(C=C, max_iter=1000)
        direct.fit(scaled(x[~held], x[~held], "standardised"), labels[~held])
        accuracies[f"{C:g}"] = 100 * direct.score(scaled(x[held], x[~held], "standardised"), labels[held])
    outcome = run(folder, "probe")
    assert outcome.facts["held_out_top1"] == pytest.approx(accuracies, abs=0.8)  # one image of 144
    tried, C = outcome.facts["held_out_top1"], outcome.facts["C"]
    assert min(float(C) for C in tried if tried[C] == max(tried.values())) == C
    again = LogisticProbe.Options(kind="logistic_probe", of="pretrain", C=C)
    assert outcome.metrics == LogisticProbe(again).run(context(folder, "probe")).metrics


def test_the_test_split_has_no_part_in_the_choice(folder: Path) -> None:
    honest, changed = run(folder, "probe"), run(folder, "probe", changed_test)
    same = ("C", "held_out_top1", "iterations")
    assert [honest.facts[f] for f in same] == [changed.facts[f] for f in same]
    assert honest.metrics["top1"] > 80 > 30 > changed.metrics["top1"]


@pytest.mark.parametrize("present", [[1, 3], [0, 2, 3]])
def test_classes_that_were_not_met_are_never_predicted(present: list[int]) -> None:
    labels = torch.tensor(present).repeat(10)
    x = F.one_hot(labels, 4) + 0.1 * torch.randn(len(labels), 4, generator=torch.Generator().manual_seed(0))
    scores = logits(fitted(x, labels, 1.0, "standardised", 100), x, 5)
    assert scores.shape == (len(x), 5) and torch.equal(scores.argmax(1), labels)
    assert [c for c in range(5) if scores[:, c].isfinite().all()] == present


LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=80).map(torch.tensor)
FRACTION = st.floats(0.001, 1)


@given(LABELS, FRACTION, st.integers(0, 99))
def test_a_balanced_part_has_its_share_of_every_class(labels: Tensor, fraction: float, key: int) -> None:
    index = balanced(labels, fraction, key)
    assert index.tolist() == sorted(set(index.tolist()))
    for c in labels.unique():
        n = int((labels == c).sum())
        assert (labels[index] == c).sum() == max(1, round(fraction * n))


@given(LABELS, FRACTION, FRACTION, st.integers(0, 99))
def test_a_smaller_part_lies_in_a_larger_one(labels: Tensor, a: float, b: float, key: int) -> None:
    small, large = (balanced(labels, fraction, key).tolist() for fraction in sorted((a, b)))
    assert set(small) <= set(large)


def test_the_labelled_images_depend_on_the_seed_alone(folder: Path) -> None:
    train = digits("train")
    sets = [some(train, 0.1, seed).images for seed in (0, 0, 1)]
    assert torch.equal(sets[0], sets[1]) and not torch.equal(sets[0], sets[2])
    assert some(train, 1.0, 0) is train


def test_fine_tuning_uses_the_labelled_images_only(folder: Path) -> None:
    used = balanced(digits("train").labels, 0.1, key(0, "labelled"))

    def others_are_noise(split: str) -> ImageSet:
        data = digits(split)
        if split == "test":
            return data
        images, labels = torch.randint_like(data.images, 255), data.labels.clone()
        images[used] = data.images[used]
        return data.having(image=images, label=labels)

    outcome, other = run(folder, "tune"), run(folder, "tune", others_are_noise)
    assert outcome.facts["labelled"] == len(used) and outcome.facts["steps"] == len(used) // 32 * 3
    assert (outcome.metrics, outcome.curve) == (other.metrics, other.curve)


def test_fine_tuning_learns_and_more_labels_help(folder: Path) -> None:
    before = checkpoint.load(folder / "pretrain" / "output.safetensors")[0]
    few, all_ = run(folder, "few"), run(folder, "all")
    assert 30 < few.metrics["top1"] < all_.metrics["top1"] and all_.metrics["top1"] > 85
    assert few.facts["labelled"] == 10 and all_.facts["labelled"] == len(digits("train").labels)
    after = checkpoint.load(folder / "pretrain" / "output.safetensors")[0]
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_test_split_has_no_part_in_fine_tuning(folder: Path) -> None:
    honest, changed = run(folder, "tune"), run(folder, "tune", changed_test)
    assert honest.curve == changed.curve and honest.metrics["top1"] > changed.metrics["top1"]


@pytest.mark.parametrize(("head_lr", "rates"), [(None, {0.1: 1e-4}), (2.0, {0.1: 1e-4, 2.0: 0.0})])
def test_the_classifier_may_have_its_own_rate(head_lr: float | None, rates: dict[float, float]) -> None:
    tuned = Tuned(nn.Linear(4, 3), nn.Linear(3, 2), head_lr)
    options = Optimizer(lr=0.1, weight_decay=1e-4)
    groups = optim.groups(options, tuned)
    assert {g["lr"]: g.get("weight_decay", options.weight_decay) for g in groups} == rates
    assert sum(len(g["params"]) for g in groups) == 4  # the encoder is trained too


def test_both_stages_run_tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "runs_dir", lambda: tmp_path)
    stages: dict[str, Any] = {**STAGES, "dropping": {**TUNE, "fraction": 0.01}}
    recipe = Recipe.model_validate(RECIPE.model_dump() | {"stages": stages})
    record = Run(recipe, seed=0, setup=set_up("cpu", "fp32"), smoke=True).execute()
    assert {f"{s}.top1" for s in stages if s != "pretrain"} <= set(record.metrics)
