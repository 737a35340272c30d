"""Pretext tasks against slow transcriptions of their formulas and of the official code's procedure."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from torch import Tensor, nn
from torch.nn import functional as F

from repro.engine.setup import Setup
from repro.methods.clustering.deepcluster import DeepCluster, whitened
from repro.methods.contrastive.simclr import SimCLR
from repro.methods.parts.prototypes import kmeans
from repro.methods.pretext.deep_infomax import DeepInfoMax
from repro.methods.pretext.relational import Relational, relation_pairs
from repro.methods.pretext.rotation import Rotation
from repro.networks.build import trained
from repro.networks.conv4 import Conv4
from repro.stages.initial import Initial
from tests.fitting import context, images


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


class Bare(nn.Identity):
    dim = 5


def made(cls: Any, encoder: nn.Module | None = None, head: nn.Module | None = None, **options: object) -> Any:
    torch.manual_seed(0)
    name = cls.__module__.rpartition(".")[2]
    return cls(cls.Options(name=name, **options), encoder or nn.Identity(), head or Bare()).double()


def slow_pairs(z: Tensor) -> list[tuple[list[float], int]]:
    """The order of essential_script.py: for each pair of views all positives, then the negatives, rolled further."""
    found, shift, n = [], 1, len(z)
    for i in range(z.shape[1]):
        for j in range(i + 1, z.shape[1]):
            found += [(z[a, i].tolist() + z[a, j].tolist(), 1) for a in range(n)]
            found += [(z[a, i].tolist() + z[(a - shift) % n, j].tolist(), 0) for a in range(n)]
            shift = 1 if shift + 1 >= n else shift + 1
    return found


@pytest.mark.parametrize("n", [2, 3, 4, 9])
def test_relational_pairs_are_those_of_the_authors(n: int) -> None:
    z = normal(n, 4, 3)
    pairs, same = relation_pairs(z)
    slow = slow_pairs(z)
    assert pairs.tolist() == [pair for pair, _ in slow] and same.tolist() == [t for _, t in slow]


@pytest.mark.parametrize("focusing", [0.0, 2.0])
def test_relational_is_cross_entropy_of_the_head(focusing: float) -> None:
    """The head as in the script, with torch's BatchNorm in training mode; Lin et al. 2017 for the focal factor."""
    method, z = made(Relational, focusing=focusing), normal(6, 3, 5)
    first, norm, _, last = method.relation
    norm.weight.data, norm.bias.data = normal(256, seed=1), normal(256, seed=2)
    reference = nn.BatchNorm1d(256).double()
    reference.weight, reference.bias = norm.weight, norm.bias
    slow = slow_pairs(z)
    hidden = F.leaky_relu(
        reference(first(torch.tensor([pair for pair, _ in slow], dtype=torch.float64))), 0.01
    )
    total, right = 0.0, 0
    for score, (_, same) in zip(last(hidden)[:, 0].tolist(), slow, strict=True):
        p = 1 / (1 + math.exp(-score)) if same else 1 / (1 + math.exp(score))
        total -= (1 - p) ** focusing * math.log(p)
        right += p > 0.5
    found = method.loss(z)
    assert found["loss"].item() == pytest.approx(total / len(slow), rel=1e-10)
    assert found["accuracy"].item() == pytest.approx(right / len(slow))


def test_rotation_shows_every_view_four_times() -> None:
    method, views = made(Rotation, nn.Flatten(), nn.Identity()), normal(2, 2, 1, 3, 3)
    shown = method.embed(views)["logits"].unflatten(-1, (1, 3, 3))
    for v in range(2):
        for k in range(4):
            assert torch.equal(shown[1, 4 * v + k], torch.rot90(views[1, v], k, (1, 2)))
    logits = normal(3, 8, 4)
    slow = -sum(logits[i, v].log_softmax(0)[v % 4].item() for i in range(3) for v in range(8)) / 24
    assert method.loss(logits)["loss"].item() == pytest.approx(slow, rel=1e-12)


class Draws:
    def uniform(self, name: str, *shape: int) -> Tensor:
        return torch.rand(4, *shape, generator=torch.Generator().manual_seed(5))


def test_deep_infomax_is_the_jensen_shannon_estimate() -> None:
    """Place by place with concatenated inputs; noise and features through the prior's discriminator."""
    options = Conv4.Options(backbone="conv4", widths=(3, 4, 5, 6), last="global")
    method = made(DeepInfoMax, Conv4(options, (1, 16, 16)), hidden=7)
    embedded = method.embed(normal(4, 1, 1, 16, 16))
    y, local = embedded["y"], embedded["local"]
    assert y.shape == (4, 6) and local.shape == (4, 256, 3)

    def score(i: int, j: int, place: int) -> Tensor:
        return method.others(method.first(torch.cat([y[i], local[j, place]])))

    fits = torch.stack([score(i, i, p) for i in range(4) for p in range(256)])
    foreign = torch.stack([score(i, (i + 1) % 4, p) for i in range(4) for p in range(256)])
    real, drawn = (method.prior(x).sigmoid() for x in (y, Draws().uniform("prior", 6).double()))
    slow = F.softplus(-fits).mean() + F.softplus(foreign).mean()
    slow = slow - 0.1 * (drawn.log().mean() + (1 - real).log().mean())
    assert method.loss(y, local, Draws()).item() == pytest.approx(slow.item(), rel=1e-10)


def test_whitening_is_that_of_pca_with_dead_directions_left_out() -> None:
    x = normal(50, 4) @ normal(4, 4, seed=1)
    expected = torch.from_numpy(PCA(whiten=True).fit_transform(x.numpy()))
    found = whitened(x).double().flip(1)  # by rising variance
    torch.testing.assert_close(found.abs(), expected.abs(), rtol=1e-4, atol=1e-5)
    assert whitened(torch.cat([x, torch.ones(50, 1)], 1)).isfinite().all()


def test_kmeans_is_about_as_good_as_that_of_scikit_learn() -> None:
    """Inertia of blurred clouds with many local optima; and a fixed point: rows are with their nearest mean."""
    x = (3 * normal(8, 5)).repeat_interleave(40, 0) + normal(320, 5, seed=1)
    torch.manual_seed(0)
    cluster = kmeans(x, 8, 5, 50)
    means = torch.stack([x[cluster == c].mean(0) for c in range(8)])
    assert torch.equal(torch.cdist(x, means).argmin(1), cluster)
    inertia = (x - means[cluster]).square().sum().item()
    assert inertia <= 1.02 * KMeans(8, n_init=5, random_state=0).fit(x.numpy()).inertia_


def test_deepcluster_finds_clusters_and_begins_its_head_anew() -> None:
    """Three distant clouds become three labels; a step within an epoch changes nothing."""
    centre = torch.tensor([[9.0, 0, 0], [0, 9, 0], [0, 0, 9]])
    clouds = centre.repeat_interleave(10, 0) + 0.1 * normal(30, 3).float()
    head = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3))
    method = made(DeepCluster, None, head, clusters=3)
    method.begin(30)
    nn.init.ones_(head[-1].bias)
    method.before_step(1, 5, lambda: clouds)
    assert not method.cluster.any() and head[-1].bias.eq(1).all()
    method.before_step(5, 5, lambda: clouds)
    assert len({tuple(c.unique().tolist()) for c in method.cluster.split(10)}) == 3
    assert method.cluster.unique().tolist() == [0, 1, 2] and not head[-1].bias.any()
    torch.testing.assert_close(method.weight, torch.full((3,), 2 / 3).double())
    logits, index = normal(4, 3), torch.tensor([0, 11, 25, 3])
    slow = -sum(logits[i].log_softmax(0)[method.cluster[s]] for i, s in enumerate(index)) / 4  # equal weights
    assert method.loss(logits, index).item() == pytest.approx(slow.item(), rel=1e-10)


def test_simclr_with_the_mean_inside_the_logarithm() -> None:
    """methods/simclr.py of the relational paper's code: −log of the mean over views of the softmax terms."""
    z = F.normalize(normal(5, 2, 3), dim=-1)
    views, total = z.flatten(0, 1), 0.0
    for i, v in enumerate(views):
        weights = [math.exp(float(v @ u) / 0.5) for u in views]
        total += weights[i ^ 1] / (sum(weights) - weights[i])
    found = made(SimCLR, temperature=0.5, mean="probability").loss(z)
    assert found.item() == pytest.approx(-math.log(total / 10), rel=1e-12)


def test_an_initial_network_is_drawn_from_the_seed_and_left_frozen(tmp_path: Path) -> None:
    stage = {
        "kind": "initial",
        "network": {"backbone": "conv4", "last": "global", "head": {"kind": "linear"}},
    }
    options = Initial.Options.model_validate(stage)
    drawn = []
    for seed in (1, 1, 2):
        ctx = context(Setup(Accelerator(cpu=True), "fp32"), tmp_path / f"{len(drawn)}" / "drawn")
        ctx.stage, ctx.seed = "drawn", seed
        ctx.recipe = SimpleNamespace(id="r", stages={"drawn": options})  # type: ignore[assignment]
        assert Initial(options).run(ctx).metrics == {}
        network = trained(ctx, "drawn", images())
        drawn.append(torch.cat([p.flatten() for part in network for p in part.parameters()]))
        assert not any(p.requires_grad or part.training for part in network for p in part.parameters())
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert options.leaves == ("network", "classifier")
