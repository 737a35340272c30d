"""Where numbers stop to have a meaning: single samples, wrong numbers of views, no votes, no labels, collapse."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro import paths
from repro.components import find, load, options_for
from repro.data.images import ImageSet
from repro.data.load import load as load_data
from repro.engine.features import accuracy, extract
from repro.engine.fit import _checked_std
from repro.engine.loop import Collapse
from repro.engine.method import Method, unit
from repro.engine.method import names as asks_for
from repro.engine.online import Online
from repro.engine.run import Run
from repro.engine.setup import set_up
from repro.errors import UserError
from repro.keys import generator
from repro.measures.knn import knn_votes
from repro.methods.contrastive.align_uniform import uniformity
from repro.methods.negative_free.fastsiam import FastSiam
from repro.methods.parts.whitening import whiten
from repro.methods.redundancy_reduction.tico import TiCo
from repro.options import OnlineProbe, Views
from repro.recipes.schema import Recipe
from tests.conftest import Write, invoke
from tests.every_method import ALL, KEPT, OPTIONS, embedded, inputs, loss_of, small, stage
from tests.test_methods import sphere
from tests.test_methods_noncontrastive import DIM, cosine, made, mean, normal

VARIANTS: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in ALL] + [
    ("intl", {"axis": "batch"}),
    ("wmse", {"eps": 0.1}),
]


# ---- few samples


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_the_least_batch_of_a_method_has_a_finite_loss_and_gradient(name: str, options: dict) -> None:
    method = small(name, **options)
    for samples in (method.least, method.least + 1):
        method.check(samples)
        loss = loss_of(method, *inputs(name, samples))
        weights = [p for p in method.parameters() if p.requires_grad]
        gradients = [g for g in torch.autograd.grad(loss, weights, allow_unused=True) if g is not None]
        assert gradients and loss.isfinite() and all(g.isfinite().all() for g in gradients)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_smaller_batches_are_refused_before_the_run(name: str, options: dict) -> None:
    method = small(name, **options)
    if method.least > 1:
        probe = Online(OnlineProbe(lr=1.0), method, 32, 3)
        for checked in (method, probe):
            with pytest.raises(UserError, match="drop_last"):
                checked.check(method.least - 1)


def digits(samples: int, classes: int = 10, **changes: Any) -> Any:
    """The digits, a few of them, with some of their fields changed."""

    def some(split: str) -> ImageSet:
        data = load_data("digits", split)
        data = data.take(torch.arange(min(samples, len(data))))
        changed = data.having(**{name: change(data) for name, change in changes.items()})
        return replace(changed, classes=classes)

    return some


def recipe(method: dict, batch: dict, stages: dict | None = None, **train: Any) -> Recipe:
    head = {"kind": "mlp", "hidden": 16, "out": 8}
    pretrain = {
        "kind": "train", "method": method, "views": {"policy": "digits", "count": 2}, "epochs": 1, "batch": batch,
        "network": {"backbone": "mlp", "hidden": [16], "head": head}, "optimizer": {"lr": 0.1}, **train,
    }  # fmt: skip
    facts = {"id": "r", "family": "f", "paper": "p", "title": "t", "tier": "cpu", "dataset": "digits"}
    return Recipe.model_validate({**facts, "stages": {"pretrain": pretrain, **(stages or {})}})


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(paths, "runs_dir", lambda: tmp_path)

    def run(recipe: Recipe, data: Any) -> Any:
        monkeypatch.setattr(Run, "_data", lambda self, split: data(split))
        return Run(recipe, seed=0, setup=set_up("cpu", "fp32"), fresh=True).execute()

    return run


def test_a_last_batch_of_one_sample_is_no_collapse(run: Any) -> None:
    record = run(recipe({"name": "simclr"}, {"size": 16}), digits(33))
    assert record.metrics["pretrain.embedding_std"] > 0.01  # of the last batch that has one


def test_a_batch_that_is_too_small_stops_the_run_before_it_begins(run: Any) -> None:
    with pytest.raises(UserError, match=r"VICReg needs at least 2 samples.*one of 1;.*drop_last"):
        run(recipe({"name": "vicreg"}, {"size": 16}), digits(33))
    assert run(recipe({"name": "vicreg"}, {"size": 16, "drop_last": True}), digits(33))


# ---- the guard against collapse


def guard(embedded: dict[str, Tensor], guarded: tuple[str, ...] | None = None) -> dict[str, float]:
    method = Method(None, nn.Identity(), nn.Identity())
    method.guarded = guarded
    return _checked_std(method, embedded, 4)


def test_the_guard_watches_features_and_only_those_that_a_method_names() -> None:
    z, same = sphere(6, 2, 5), torch.ones(6, 2, 5)
    scalars = {"weight": torch.ones(6), "count": torch.ones(6, 3, dtype=torch.int64)}
    assert guard({"z": z, **scalars})["embedding_std"] > 0.5
    assert guard(scalars) == {} == guard({"z": same[:1]})
    with pytest.raises(Collapse, match="the same `s` at step 5"):
        guard({"z": z, "s": same})
    assert guard({"z": z, "s": same}, ("z",))["embedding_std"] == 0


def test_a_classifier_may_give_all_samples_the_same(run: Any) -> None:
    one_class = digits(40, 1, label=lambda data: torch.zeros_like(data.labels))
    logits = {"head": {"kind": "linear"}, "backbone": "mlp", "hidden": [16]}
    record = run(recipe({"name": "cross_entropy"}, {"size": 20}, network=logits), one_class)
    assert record.metrics["pretrain.loss"] == 0


COLLAPSING: dict[str, Any] = {
    "method": {"name": "simsiam", "predictor": None, "stop_gradient": False},
    "batch": {"size": 64},
    "stages": {
        "knn": {"kind": "knn", "of": "pretrain"},
        "probe": {
            "kind": "linear_probe",
            "of": "pretrain",
            "epochs": 1,
            "batch": {"size": 64},
            "optimizer": {"lr": 0.1},
        },
        "logistic": {"kind": "logistic_probe", "of": "pretrain", "C": 1.0},
    },
}


def test_a_collapse_stops_a_run_or_is_recorded(run: Any) -> None:
    """All images are black, so all features are the same from the first step on."""
    black = digits(128, image=lambda data: torch.zeros_like(data.images))
    with pytest.raises(Collapse, match="all samples have the same"):
        run(recipe(**COLLAPSING), black)
    metrics = run(recipe(**COLLAPSING, collapse="record"), black).metrics
    assert metrics["pretrain.embedding_std"] < 1e-4 and metrics["pretrain.loss"] == pytest.approx(
        -1, abs=1e-5
    )
    assert all(0 <= metrics[f"{stage}.top1"] <= 100 for stage in COLLAPSING["stages"])


def test_whitening_says_that_the_embeddings_collapsed() -> None:
    with pytest.raises(Collapse, match="8 samples of 3 dimensions lie in fewer"):
        whiten(torch.ones(8, 3, dtype=torch.float64))


# ---- views


@pytest.mark.parametrize("name", ALL)
def test_every_method_says_how_many_views_it_takes(name: str) -> None:
    """Those counts give a loss that depends on every view, and all others are refused."""
    method = small(name)
    if name == "deepcluster_v2":  # its first epoch only looks
        method.after_step(sphere(KEPT, 2, 16), torch.arange(KEPT))
        method.before_step(3, 1, 3)
    least, most = method.options.views_taken
    for count in range(1, 5):
        taken = count >= least and (most is None or count <= most)
        if not taken:
            with pytest.raises(ValueError, match=rf"method `{name}` takes .* `views: count:` is {count}"):
                method.options.check(Views(count=count))
            continue
        method.options.check(Views(count=count))
        given, facts = inputs(name, 20, count)
        loss = loss_of(method, given, facts)
        assert loss.isfinite()
        place = -4 if isinstance(stage(name)[0].views, Views) else -2
        for view in range(count):
            changed = given["views"].clone()
            changed.select(place, view).copy_(given["views"].select(place, view).flip(-1))
            assert loss_of(method, {**given, "views": changed}, facts) != loss


@pytest.mark.parametrize("name", ALL)
def test_every_method_says_whether_it_gives_features(name: str) -> None:
    method = small(name)
    found = embedded(method, *inputs(name, 4)).values()
    assert method.options.embeds == any(x.is_floating_point() and x.dim() > 1 for x in found)


def test_a_recipe_with_the_wrong_views_is_refused_in_one_sentence(write_recipe: Write) -> None:
    text = """
    paper: chen2020-simclr
    title: t
    tier: cpu
    claim: own
    dataset: digits
    stages:
      pretrain:
        kind: train
        method: {name: simclr}
        network: {backbone: mlp, hidden: [8]}
        views: {policy: digits, count: 3}
        epochs: 1
        batch: {size: 8}
        optimizer: {lr: 0.1}
    """
    write_recipe("wrong", text)
    said = invoke("check").output
    assert "method `simclr` takes 2 views of a sample, and `views: count:` is 3" in said
    write_recipe("wrong", text.replace("count: 3", "count: 2, local: {count: 4, size: 6}"))
    assert "method `simclr` takes no `local` views" in invoke("check").output
    stage = "of: pretrain, epochs: 1, batch: {size: 8}, optimizer: {lr: 0.1}, views: {local: {}}"
    probe = f"  probe: {{kind: linear_probe, {stage}}}\n"
    write_recipe("wrong", text.replace("count: 3", "count: 2") + probe)
    assert "a classifier takes no `local` views" in invoke("check").output


@pytest.mark.parametrize("name", ALL)
def test_what_is_read_without_torch_is_what_the_class_has(name: str) -> None:
    declared = type(options_for(("methods",), "name", {"name": name, **OPTIONS.get(name, {})}))
    own = load(("methods",), name).Options
    assert find(("methods",), name)
    assert (declared.views_taken, declared.takes_local) == (own.views_taken, own.takes_local)
    assert declared.takes_local == (name in ("swav", "dino", "deepcluster_v2", "msn"))


# ---- votes, labels, features


def test_a_hit_needs_a_vote() -> None:
    """With one neighbour the five best are one; classes without a vote stand behind it in no order."""
    bank, queries = sphere(300, 4).float(), sphere(200, 4, seed=1).float()
    labels, truth = torch.arange(300) % 10, torch.arange(200) % 10
    found = accuracy(knn_votes(bank, labels, queries, 1, 0.1, 10), truth)
    right = 100 * (labels[(queries @ bank.T).argmax(1)] == truth).double().mean().item()
    assert found == {"top1": pytest.approx(right), "top5": pytest.approx(right)}
    scores = torch.tensor([[0.0, -torch.inf, -torch.inf, -torch.inf, -torch.inf, -torch.inf]])
    assert accuracy(scores, torch.tensor([1])) == {"top1": 0, "top5": 0}
    assert accuracy(torch.full((1, 6), -torch.inf), torch.tensor([0])) == {"top1": 0, "top5": 0}


@pytest.mark.parametrize("temperature", [1.0, 0.07, 0.01, 0.001])
def test_votes_are_those_of_the_formula_at_any_temperature(temperature: float) -> None:
    bank, queries = sphere(60, 4), sphere(30, 4, seed=1)
    labels = torch.arange(60) % 5
    votes = knn_votes(bank.float(), labels, queries.float(), 20, temperature, 5)
    assert not votes.isnan().any() and (votes < torch.inf).all()
    for i in range(30):
        order = (queries[i] @ bank.T).argsort(descending=True)[:20].tolist()
        exact = [0.0] * 5
        for j in order:
            exact[j % 5] += math.exp(float(queries[i] @ (bank[j] - bank[order[0]])) / temperature)
        slow = [v if any(j % 5 == c for j in order) else -math.inf for c, v in enumerate(exact)]
        assert votes[i].tolist() == pytest.approx(slow, rel=1e-3, abs=1e-30)


def test_features_that_are_not_finite_end_the_run() -> None:
    data = digits(6)("train")
    ctx = SimpleNamespace(stage="knn", setup=set_up("cpu", "fp32"), device=torch.device("cpu"))

    def network(images: Tensor) -> Tensor:
        return torch.where(torch.arange(len(images))[:, None] == 2, torch.nan, images.flatten(1))

    with pytest.raises(Collapse, match="stage `knn`: the network gives 1 of 6 images NaN"):
        extract(ctx, network, data, Views())  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["supcon", "cross_entropy"])
def test_methods_that_read_labels_refuse_images_without(name: str, run: Any) -> None:
    def few_labels(split: str) -> ImageSet:
        data = digits(40)(split)
        return data.having(label=torch.where(torch.arange(40) < 10, data.labels, -1))

    with pytest.raises(UserError, match=r"Stage `pretrain` needs a label.*`train` has images without"):
        run(recipe({"name": name}, {"size": 20}), few_labels)
    knn = {"knn": {"kind": "knn", "of": "pretrain"}}
    with pytest.raises(UserError, match="Stage `knn` needs a label"):
        run(recipe({"name": "simclr"}, {"size": 20}, knn), few_labels)


@pytest.mark.parametrize("name", ALL)
def test_methods_say_whether_they_need_labels(name: str) -> None:
    method = load(("methods",), name)
    reads = any(
        asks_for(hook, "label") for hook in (method.embed, method.keys, method.loss, method.after_step)
    )
    groups_by_class = name in ("matching", "npair")
    assert method.Options.needs_labels == (reads or groups_by_class)


def test_a_logistic_probe_of_one_class_says_so(run: Any) -> None:
    one_class = digits(40, label=lambda data: torch.ones_like(data.labels))
    probe = {"probe": {"kind": "logistic_probe", "of": "pretrain", "C": 1.0}}
    with pytest.raises(UserError, match=r"Stage `probe`: .* two classes at least"):
        run(recipe({"name": "simclr"}, {"size": 20}, probe), one_class)


# ---- precision and gradients


def test_unit_vectors_have_length_1_in_bf16() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        x = nn.Linear(8, 64)(torch.randn(100, 8, generator=generator(0)))
        lengths = unit(x).double().norm(dim=1)
    assert x.dtype == torch.bfloat16
    torch.testing.assert_close(lengths, torch.ones_like(lengths), atol=1e-6, rtol=0)


def test_no_embedding_is_longer_than_it_may_be_in_bf16() -> None:
    method = small("spectral", mu=1.0).float()
    with torch.autocast("cpu", torch.bfloat16):
        z = method.embed(100 * normal(50, 2, 1, 8, 8).float())["z"]
    assert z.norm(dim=-1).max() <= 1 + 1e-6


def test_uniformity_and_its_gradient_are_those_of_pdist() -> None:
    for x in (sphere(40, 5), normal(40, 5)):
        x.requires_grad_()
        slow = (-2 * torch.pdist(x).square()).exp().mean().log()
        torch.testing.assert_close(uniformity(x, 2.0), slow)
        ours, theirs = (torch.autograd.grad(v, x)[0] for v in (uniformity(x, 2.0), slow))
        torch.testing.assert_close(ours, theirs)


# ---- methods


def test_fastsiams_target_is_the_mean_of_the_raw_projections() -> None:
    """Long projections count for more than short ones."""
    z, p = normal(5, 4, DIM) * torch.tensor([1.0, 5.0, 0.2, 1.0])[:, None], normal(5, 4, DIM, seed=1)
    method = made(FastSiam, predictor={"kind": "mlp", "hidden": 3, "out": DIM})
    slow = []
    for i in range(5):
        for v in range(4):
            others = [z[i, w] for w in range(4) if w != v]
            slow.append(-cosine(p[i, v], sum(others) / 3))  # type: ignore[arg-type]
    assert method.loss(z, p).item() == pytest.approx(mean(slow), rel=1e-12)


def test_ticos_covariance_may_be_stopped() -> None:
    """The same loss; the gradient of the contrast is half of it, for the first batch, where C is the batch's own."""
    z, t = sphere(6, 1, DIM).requires_grad_(), sphere(6, 1, DIM, seed=1)
    flowing, stopped, none = (
        made(TiCo, **o).loss(z, t) for o in ({}, {"stop_covariance": True}, {"rho": 0.0})
    )
    assert flowing.item() == stopped.item()
    flow, stop, rest = (torch.autograd.grad(loss, z)[0] for loss in (flowing, stopped, none))
    torch.testing.assert_close(stop - rest, (flow - rest) / 2)


def test_deepcluster_leaves_out_whom_it_has_not_met() -> None:
    method = small("deepcluster_v2", prototypes=[2], temperature=0.2)
    z, met = sphere(36, 2, 16), torch.arange(36)  # of 40: the last batch was dropped
    method.after_step(z, met)
    method.banks[0].rows[36:] = torch.inf  # what is there must not matter
    method.before_step(3, 1, 3)
    assert method._centroids()[0].isfinite().all()
    assert method.assignments[0, :36].min() >= 0 and (method.assignments[0, 36:] == -1).all()
    some, index = sphere(4, 2, 16, seed=2), torch.tensor([3, 38, 5, 39])
    logits = some[[0, 2]] @ method._centroids()[0].T / 0.2
    target = method.assignments[0, [3, 5]].repeat_interleave(2)
    assert method.loss(some, index).item() == pytest.approx(
        F.cross_entropy(logits.flatten(0, 1), target).item()
    )
    assert method.loss(some[:1], torch.tensor([38])).item() == 0
