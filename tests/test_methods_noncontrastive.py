"""The non-contrastive and the clustering methods: each loss against a slow transcription, and the state by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.components import options_for
from repro.engine import optim
from repro.engine.method import Method, call
from repro.engine.plan import BatchPlan
from repro.engine.update import Updater, trainable
from repro.errors import UserError
from repro.keys import generator
from repro.methods.clustering.deepcluster_v2 import DeepClusterV2
from repro.methods.clustering.swav import SwAV
from repro.methods.negative_free.byol import BYOL
from repro.methods.negative_free.dino import DINO
from repro.methods.negative_free.simsiam import SimSiam
from repro.methods.parts.memory import Bank, Queue
from repro.methods.parts.momentum_encoder import MomentumEncoder, ema_decay
from repro.methods.parts.prototypes import Prototypes, WeightNormed, sinkhorn, spherical_kmeans
from repro.methods.parts.whitening import whiten
from repro.methods.redundancy_reduction.barlow_twins import BarlowTwins, cross_correlation
from repro.methods.redundancy_reduction.intl import INTL, iterative_whitening
from repro.methods.redundancy_reduction.tico import TiCo
from repro.methods.redundancy_reduction.vicreg import VICReg, covariance, variance
from repro.methods.redundancy_reduction.wmse import WMSE
from repro.networks.batchnorm import convert
from repro.options import Momentum, Optimizer
from tests.test_invariance import alone, network
from tests.test_methods import sphere

DIM = 5


def made(cls: type[Method], seed: int = 0, **options: Any) -> Any:
    """The method in float64 on linear networks, for views of 2 x 2 pixels in one channel."""
    torch.manual_seed(seed)
    encoder, head = nn.Sequential(nn.Flatten(), nn.Linear(4, 6)), nn.Linear(6, DIM)
    head.dim = DIM  # type: ignore[assignment]
    name = cls.__module__.rsplit(".", 1)[-1]
    return cls(options_for(("methods",), "name", {"name": name, **options}), encoder, head).double()


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))


def mean(values: Any) -> float:
    values = [float(v) for v in values]
    return sum(values) / len(values)


def decorrelated(n: int, d: int) -> Tensor:
    """(n, d), centred, with covariance I over n."""
    x = normal(n, d)
    return torch.linalg.qr(x - x.mean(0))[0] * math.sqrt(n)


# ---- BYOL and SimSiam


def test_byol_is_four_minus_twice_both_cosines() -> None:
    p, t = normal(7, 2, DIM, seed=1), normal(7, 2, DIM, seed=2)
    slow = mean(4 - 2 * (cosine(p[i, 0], t[i, 1]) + cosine(p[i, 1], t[i, 0])) for i in range(7))
    loss = made(BYOL, predictor=None).loss(F.normalize(p, dim=-1), F.normalize(t, dim=-1))
    assert loss.item() == pytest.approx(slow, rel=1e-12)


def test_byol_predicts_the_target_of_the_other_view_without_gradient_into_it() -> None:
    method = made(BYOL, predictor={"kind": "mlp", "hidden": 3, "out": DIM})
    views = normal(4, 2, 1, 2, 2)
    embedded = method.embed(views)
    z = method.head(method.encoder(views[2, 1][None]))
    torch.testing.assert_close(embedded["p"][2, 1], F.normalize(method.predictor(z)[0], dim=0))
    torch.testing.assert_close(embedded["t"][2, 1], F.normalize(z[0], dim=0))  # a copy at the start
    assert not embedded["t"].requires_grad
    assert not any(p.requires_grad for p in method.target.parameters())


def test_byols_target_follows_and_stands_still_at_the_end() -> None:
    method = made(BYOL, predictor=None, momentum={"start": 0.9, "end": 1.0})
    before = method.head.weight.detach().clone()
    with torch.no_grad():
        method.head.weight += 1
    method.after_step(step=0, total=10)
    torch.testing.assert_close(method.target.networks[1].weight, before + 0.1)
    method.after_step(step=10, total=10)
    torch.testing.assert_close(method.target.networks[1].weight, before + 0.1)


def test_a_momentum_encoder_averages_weights_and_leaves_buffers() -> None:
    theirs = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    own = MomentumEncoder(theirs)
    theirs[1].running_mean += 5
    with torch.no_grad():
        for p in theirs.parameters():
            p += 1
    own.update(theirs, decay=0.75)
    for a, b in zip(own.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b - 0.75)
    assert own.networks[0][1].running_mean.abs().max() == 0


def test_the_share_goes_along_half_a_cosine() -> None:
    rising = Momentum(start=0.996, end=1.0)
    assert [ema_decay(rising, k, 100) for k in (0, 50, 100)] == pytest.approx([0.996, 0.998, 1.0], rel=1e-12)
    assert ema_decay(rising, 25, 100) == pytest.approx(1 - 0.004 * (math.cos(math.pi / 4) + 1) / 2, rel=1e-12)
    assert ema_decay(Momentum(start=0.99), 70, 100) == 0.99


def test_simsiam_is_the_mean_negative_cosine() -> None:
    p, z = sphere(6, 2, DIM, seed=1), sphere(6, 2, DIM, seed=2)
    slow = mean(-0.5 * cosine(p[i, 0], z[i, 1]) - 0.5 * cosine(p[i, 1], z[i, 0]) for i in range(6))
    assert made(SimSiam, predictor=None).loss(p, z).item() == pytest.approx(slow, rel=1e-12)


@pytest.mark.parametrize("stop", [True, False])
def test_simsiam_stops_the_gradient_through_the_target(stop: bool) -> None:
    p, z = (sphere(6, 2, DIM, seed=s).requires_grad_() for s in (1, 2))
    loss = made(SimSiam, predictor=None, stop_gradient=stop).loss(p, z)
    by_p, by_z = torch.autograd.grad(loss, (p, z), allow_unused=True)
    assert by_p.abs().max() > 0
    assert by_z is None if stop else by_z.abs().max() > 0


def test_simsiam_embeds_the_prediction_of_the_projection_and_fixes_its_rate_on_demand() -> None:
    spec = {"kind": "mlp", "hidden": 3, "out": DIM}
    method = made(SimSiam, predictor=spec, constant_predictor_rate=True)
    embedded = method.embed(normal(4, 2, 1, 2, 2))
    z = method.project(normal(4, 2, 1, 2, 2))
    torch.testing.assert_close(embedded["z"], F.normalize(z, dim=-1))
    torch.testing.assert_close(embedded["p"], F.normalize(method.predictor(z), dim=-1))
    assert list(method.constant_rates()) == [method.predictor]
    assert list(made(SimSiam, predictor=spec).constant_rates()) == []


# ---- Barlow Twins, VICReg, W-MSE, INTL, TiCo


def test_barlow_twins_is_equation_1() -> None:
    z = normal(9, 2, DIM)
    means = [[mean(z[:, v, i]) for i in range(DIM)] for v in (0, 1)]
    deviations = [
        [math.sqrt(mean((x - means[v][i]) ** 2 for x in z[:, v, i]) + 1e-5) for i in range(DIM)]
        for v in (0, 1)
    ]
    slow = 0.0
    for i in range(DIM):
        for j in range(DIM):
            covaries = mean((z[b, 0, i] - means[0][i]) * (z[b, 1, j] - means[1][j]) for b in range(9))
            c = covaries / deviations[0][i] / deviations[1][j]
            slow += (1 - c) ** 2 if i == j else 0.02 * c**2
    method = made(BarlowTwins, off_diagonal=0.02, scale=3.0)
    assert method.loss(z).item() == pytest.approx(3 * slow, rel=1e-12)


def test_barlow_twins_is_zero_for_equal_decorrelated_views() -> None:
    x = decorrelated(20, DIM) * torch.arange(1, DIM + 1) + 3
    assert made(BarlowTwins).loss(torch.stack([x, x], 1)).item() == pytest.approx(0, abs=1e-8)


def test_a_dead_dimension_correlates_with_nothing() -> None:
    z = normal(9, 2, DIM).float()
    z[:, :, 2] = 0.1
    z.requires_grad_()
    c = cross_correlation(z)
    assert c[2].abs().max() < 1e-4 and c[:, 2].abs().max() < 1e-4
    (gradient,) = torch.autograd.grad(c.square().sum(), z)
    assert gradient.isfinite().all()


def test_vicregs_three_terms() -> None:
    z, n = 0.7 * normal(8, 2, DIM), 8
    invariance = mean((z[b, 0, i] - z[b, 1, i]) ** 2 for b in range(n) for i in range(DIM))
    v = c = 0.0
    for view in (0, 1):
        x = z[:, view].tolist()
        means = [mean(row[i] for row in x) for i in range(DIM)]
        cov = [
            [sum((r[i] - means[i]) * (r[j] - means[j]) for r in x) / (n - 1) for j in range(DIM)]
            for i in range(DIM)
        ]
        v += mean(max(0.0, 1 - math.sqrt(cov[i][i] + 1e-4)) for i in range(DIM))
        c += sum(cov[i][j] ** 2 for i in range(DIM) for j in range(DIM) if i != j) / DIM
    for weights, slow in (((1, 0, 0), invariance), ((0, 1, 0), v), ((0, 0, 1), c)):
        options = dict(zip(("invariance", "variance", "covariance"), weights, strict=True))
        assert slow > 0.01 and made(VICReg, **options).loss(z).item() == pytest.approx(slow, rel=1e-12)
    assert made(VICReg).loss(z).item() == pytest.approx(25 * invariance + 25 * v + c, rel=1e-12)


def test_vicregs_terms_are_zero_for_a_wide_decorrelated_batch_and_the_gradient_of_a_point_is_finite() -> None:
    x = decorrelated(20, DIM) * 1.1
    assert variance(x).item() == 0 and covariance(x).item() == pytest.approx(0, abs=1e-14)
    point = torch.ones(4, 2, DIM, requires_grad=True)
    (gradient,) = torch.autograd.grad(made(VICReg).loss(point), point)
    assert gradient.isfinite().all()


def test_whitened_samples_have_covariance_one() -> None:
    x = normal(12, DIM) @ normal(DIM, DIM, seed=1) + 4
    w = whiten(x)
    torch.testing.assert_close(w.mean(0), torch.zeros(DIM, dtype=torch.float64))
    torch.testing.assert_close(w.T @ w / 11, torch.eye(DIM, dtype=torch.float64))


@pytest.mark.parametrize(("size", "parts"), [(6, 3), (9, 2), (7, 2), (50, 1)])
def test_wmse_whitens_random_parts(size: int, parts: int) -> None:
    """Section 3, with the inverse of the covariance's Cholesky factor, for three views."""
    z = normal(18, 3, DIM)
    method = made(WMSE, size=size, iterations=2)
    torch.manual_seed(4)
    loss = method.loss(z).item()
    torch.manual_seed(4)
    slow = []
    for _ in range(2):
        order = torch.randperm(18)
        for k in range(parts):
            part = order[k * 18 // parts : (k + 1) * 18 // parts]
            w = []
            for v in range(3):
                x = z[part, v]
                factor = torch.linalg.cholesky(torch.cov(x.T))
                w.append([torch.linalg.inv(factor) @ (row - x.mean(0)) for row in x])
            pairs = [(0, 1), (0, 2), (1, 2)]
            slow += [2 - 2 * cosine(w[a][i], w[b][i]) for i in range(len(part)) for a, b in pairs]
    assert loss == pytest.approx(mean(slow), rel=1e-9)


def test_wmse_does_not_see_scale_and_shift() -> None:
    """A triangular map with positive diagonal commutes with the Cholesky factor: the whitened rows stay."""
    z = normal(16, 2, DIM)
    lower = torch.tril(normal(DIM, DIM, seed=3), -1) + torch.diag(torch.arange(1.0, DIM + 1).double())
    moved = z @ lower.T + 7
    losses = []
    for x in (z, moved):
        torch.manual_seed(1)
        losses.append(made(WMSE, size=8).loss(x).item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)


def test_wmse_says_what_to_do_about_too_few_samples() -> None:
    with pytest.raises(UserError, match=r"5 samples of 5 dimensions.*drop_last"):
        made(WMSE).check(5)
    with pytest.raises(UserError, match="4 samples of 5 dimensions"):
        made(WMSE, size=4).check(24)
    made(WMSE, size=6).check(13)
    made(WMSE, eps=0.1).check(5)
    assert made(WMSE, eps=0.1).loss(normal(5, 2, DIM)).isfinite()


@pytest.mark.parametrize("axis", ["channel", "batch"])
def test_intl_is_iternorm_and_trace_loss(axis: str) -> None:
    z, samples = normal(7, 2, DIM), 7
    cosines: list[list[Tensor]] = []
    traces = 0.0
    for v in (0, 1):
        x = z[:, v].T if axis == "batch" else z[:, v]  # rows are decorrelated here, as in the papers
        x = x - x.mean(1, keepdim=True)
        cov = x @ x.T / (x.shape[1] - 1)
        p = torch.eye(len(x), dtype=torch.float64)
        for _ in range(3):
            p = 0.5 * (3 * p - torch.linalg.matrix_power(p, 3) @ cov / cov.trace())
        w = p / cov.trace().sqrt() @ x
        traces += sum((1 - float(row @ row) / (w.shape[1] - 1)) ** 2 for row in w)
        cosines.append(list(w.T if axis == "batch" else w))
    slow = mean(2 - 2 * cosine(*(cosines[v][i] for v in (0, 1))) for i in range(samples)) + 0.3 * traces
    method = made(INTL, axis=axis, iterations=3, trade_off=0.3)
    assert method.loss(z).item() == pytest.approx(slow, rel=1e-9)


def test_iterative_whitening_ends_in_zca_whitening() -> None:
    x = normal(30, DIM)
    values, vectors = torch.linalg.eigh(torch.cov(x.T))
    zca = (x - x.mean(0)) @ vectors @ torch.diag(values.rsqrt()) @ vectors.T
    torch.testing.assert_close(iterative_whitening(x, 30), zca)


def test_tico_over_two_steps() -> None:
    method = made(TiCo, beta=0.8, rho=5.0)
    c = [[0.0] * DIM for _ in range(DIM)]
    for step in range(2):
        z, t = sphere(6, 1, DIM, seed=step), sphere(6, 1, DIM, seed=10 + step)
        for i in range(DIM):
            for j in range(DIM):
                c[i][j] = 0.8 * c[i][j] + 0.2 * mean(z[b, 0, i] * z[b, 0, j] for b in range(6))
        slow = 0.0
        for b in range(6):
            x = z[b, 0].tolist()
            contrast = sum(x[i] * c[i][j] * x[j] for i in range(DIM) for j in range(DIM))
            slow += (1 - float(z[b, 0] @ t[b, 0]) + 5 * contrast) / 6
        assert method.loss(z, t).item() == pytest.approx(slow, rel=1e-12)
        method.after_step(z, step, 2)
        torch.testing.assert_close(method.covariance, torch.tensor(c, dtype=torch.float64))


def test_tico_embeds_one_view_here_and_the_other_with_its_momentum_encoder() -> None:
    method, views = made(TiCo), normal(4, 2, 1, 2, 2)
    with torch.no_grad():
        method.head.weight += 1
    embedded = method.embed(views)
    encoder, head = method.target
    torch.testing.assert_close(
        embedded["z"][:, 0], F.normalize(method.head(method.encoder(views[:, 0])), dim=1)
    )
    torch.testing.assert_close(embedded["t"][:, 0], F.normalize(head(encoder(views[:, 1])), dim=1))
    assert not embedded["t"].requires_grad


# ---- the parts of the clustering methods


def naive_sinkhorn(scores: Tensor, epsilon: float, iterations: int) -> Tensor:
    """Caron et al. 2020, Algorithm 1, with plain exponentials."""
    q = torch.exp(scores / epsilon).T
    q /= q.sum()
    k, n = q.shape
    for _ in range(iterations):
        q /= q.sum(1, keepdim=True) * k
        q /= q.sum(0, keepdim=True) * n
    return (q * n).T


@pytest.mark.parametrize("iterations", [1, 3])
def test_sinkhorn_is_the_naive_version(iterations: int) -> None:
    scores = sphere(12, 4) @ sphere(6, 4, seed=1).T
    codes = sinkhorn(scores, 0.05, iterations)
    torch.testing.assert_close(codes, naive_sinkhorn(scores, 0.05, iterations))
    torch.testing.assert_close(codes.sum(1), torch.ones(12, dtype=torch.float64))


def test_sinkhorn_shares_the_prototypes_equally_in_the_end_and_does_not_overflow() -> None:
    scores = sphere(12, 4) @ sphere(6, 4, seed=1).T
    torch.testing.assert_close(sinkhorn(scores, 0.05, 2000).sum(0), torch.full((6,), 2.0).double())
    assert sinkhorn(1000 * scores.float(), 0.05, 3).isfinite().all()


def test_spherical_kmeans_finds_separate_clusters() -> None:
    torch.manual_seed(0)
    centres = torch.eye(3, 6)
    label = torch.arange(60) % 3
    x = F.normalize(centres[label] + 0.05 * torch.randn(60, 6), dim=1)
    for seed in range(50):  # the start is random: the first that takes one row of each cluster
        torch.manual_seed(seed)
        if len(set(label[torch.randperm(60)[:3]].tolist())) == 3:
            break
    torch.manual_seed(seed)
    centroids, nearest = spherical_kmeans(x, 3, 10)
    for k in range(3):
        assert len(set(nearest[label == k].tolist())) == 1
        members = x[nearest == k]
        torch.testing.assert_close(centroids[k], F.normalize(members.sum(0), dim=0))


def test_an_empty_cluster_keeps_its_centroid() -> None:
    x = sphere(1, 4).repeat(9, 1)
    centroids, nearest = spherical_kmeans(x, 3, 2)
    torch.testing.assert_close(centroids, x[:3])
    assert nearest.unique().numel() == 1


@pytest.mark.parametrize("cls", [Prototypes, WeightNormed])
def test_prototypes_are_unit_vectors(cls: type[Prototypes]) -> None:
    prototypes, z = cls(3, 4).double(), sphere(2, 5, 4)
    prototypes.normalise()
    w = prototypes.weight[1].detach()
    assert prototypes(z).detach()[1, 2, 1].item() == pytest.approx(float(z[1, 2] @ w / w.norm()), rel=1e-12)


def test_a_step_turns_a_prototype_by_the_gradient_of_its_unit_vector() -> None:
    """As in the authors' code: from length 1, and not by 1/length² more, as weight normalisation would."""
    prototypes, z = Prototypes(3, 4).double(), sphere(5, 4)
    prototypes.normalise()
    before = prototypes.weight.detach().clone()
    prototypes(z).square().sum().backward()
    torch.optim.SGD(prototypes.parameters(), lr=1e-6).step()
    prototypes.normalise()
    gradient = 2 * (before @ z.T) @ z
    tangent = gradient - (gradient * before).sum(1, keepdim=True) * before
    torch.testing.assert_close((before - prototypes.weight) / 1e-6, tangent, rtol=1e-4, atol=1e-5)


def test_weight_normalisation_is_that_of_torch_with_its_learnt_scale() -> None:
    torch.manual_seed(0)
    reference = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3, bias=False))
    torch.manual_seed(0)
    own, z = WeightNormed(3, 4, scale=True), torch.randn(5, 4, generator=generator(1))
    for layer in (reference, own):
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
        for _ in range(3):
            optimizer.zero_grad()
            layer(z).exp().sum().backward()
            optimizer.step()
    torch.testing.assert_close(own(z), reference(z))


def test_a_queue_forgets_the_oldest() -> None:
    queue = Queue(4, 1)
    torch.testing.assert_close(queue.rows.norm(dim=1), torch.ones(4))
    for first in (0, 3, 6):
        queue.push(torch.arange(first, first + 3.0)[:, None])
    assert sorted(queue.rows[:, 0].tolist()) == [5, 6, 7, 8]
    queue.push(torch.arange(20.0, 26)[:, None])
    assert sorted(queue.rows[:, 0].tolist()) == [22, 23, 24, 25]


def test_a_bank_keeps_a_row_for_every_sample() -> None:
    bank = Bank(4, 2, torch.device("cpu"))
    old = bank.rows.clone()
    bank.put(torch.tensor([2, 0]), torch.tensor([[1.0, 2], [3, 4]]))
    assert bank.rows[[2, 0]].tolist() == [[1, 2], [3, 4]]
    assert torch.equal(bank.rows[[1, 3]], old[[1, 3]])


# ---- SwAV, DINO, DeepCluster


def slow_swapped(targets: list[Tensor], logits: Tensor) -> float:
    """-Σ q log p for each of the two global views' targets and each other view, the mean over all."""
    terms = []
    for n in range(len(logits)):
        for i, target in enumerate(targets):
            for j in range(logits.shape[1]):
                if i != j:
                    weights = [math.exp(x) for x in logits[n, j].tolist()]
                    q = target[n].tolist()
                    terms.append(
                        -sum(a * math.log(w / sum(weights)) for a, w in zip(q, weights, strict=True))
                    )
    return mean(terms)


@pytest.mark.parametrize("views", [2, 5])
def test_swav_is_the_swapped_prediction(views: int) -> None:
    method, z = made(SwAV, prototypes=4, temperature=0.3, epsilon=0.2), sphere(6, views, DIM)
    method.before_step(0)
    scores = z @ F.normalize(method.prototypes.weight, dim=1).T
    codes = [naive_sinkhorn(scores[:, i].detach(), 0.2, 3) for i in (0, 1)]
    assert method.loss(z).item() == pytest.approx(slow_swapped(codes, scores / 0.3), rel=1e-9)


def test_swavs_queue_takes_part_once_it_is_full() -> None:
    method = made(SwAV, prototypes=4, queue=8, queue_from_epoch=1)
    z, earlier = sphere(4, 2, DIM), [sphere(4, 2, DIM, seed=s) for s in (1, 2, 3)]
    method.before_step(0)
    alone_ = method.loss(z).item()
    method.after_step(earlier[0], epoch=0)
    method.after_step(earlier[1], epoch=1)
    assert method.loss(z).item() == alone_
    method.after_step(earlier[2], epoch=1)
    prototypes = F.normalize(method.prototypes.weight, dim=1).detach()
    codes = [
        naive_sinkhorn(torch.cat([x[:, i] for x in (*earlier[1:], z)]) @ prototypes.T, 0.05, 3)[-4:]
        for i in (0, 1)
    ]
    assert method.loss(z).item() == pytest.approx(slow_swapped(codes, z @ prototypes.T / 0.1), rel=1e-9)
    assert abs(method.loss(z).item() - alone_) > 1e-4


def test_swavs_codes_have_no_gradient_and_the_prototypes_rest_at_first() -> None:
    method = made(SwAV, prototypes=4, freeze_steps=2)
    z = sphere(6, 2, DIM).requires_grad_()
    for step, rests in ((0, True), (1, True), (2, False)):
        method.before_step(step)
        method.zero_grad()
        method.loss(z).backward()
        assert (method.prototypes.weight.grad is None) == rests


def test_swavs_prototypes_may_have_a_learnt_scale_or_a_bias() -> None:
    z = sphere(6, 2, DIM)
    for options, extra in (({"learnt_scale": True}, "scale"), ({"bias": True}, "bias")):
        method = made(SwAV, prototypes=4, temperature=0.3, epsilon=0.2, **options)
        layer = method.prototypes
        learnt = getattr(layer, extra)
        learnt.data = torch.tensor([0.5, 1.0, 2.0, 3.0], dtype=torch.float64)
        method.before_step(0)
        products = z @ F.normalize(layer.weight, dim=1).T
        scores = (products * learnt if extra == "scale" else products + learnt).detach()
        codes = [naive_sinkhorn(scores[:, i], 0.2, 3) for i in (0, 1)]
        loss = method.loss(z)
        assert loss.item() == pytest.approx(slow_swapped(codes, scores / 0.3), rel=1e-9)
        loss.backward()
        assert learnt.grad.abs().min() > 0


@pytest.mark.parametrize("views", [2, 5])
def test_dino_is_the_cross_entropy_with_the_teacher(views: int) -> None:
    method = made(DINO, prototypes=4, student_temperature=0.3, teacher_temperature=0.2, teacher_start=0.5)
    z, t, centre = sphere(6, views, DIM), sphere(6, 2, DIM, seed=1), normal(4)
    method.before_step(epoch=0)
    method.centre.copy_(centre)
    with torch.no_grad():
        method.prototypes.weight += 0.3  # the student has moved on
    student, teacher = (F.normalize(p.weight, dim=1) for p in (method.prototypes, method.teacher.networks[2]))
    targets = [((t[:, i] @ teacher.T - centre) / 0.2).softmax(1) for i in (0, 1)]
    slow = slow_swapped(targets, z @ student.T / 0.3)
    assert method.loss(z, t).item() == pytest.approx(slow, rel=1e-9)


def test_dinos_centre_and_teacher_follow() -> None:
    method = made(DINO, prototypes=4, centre_momentum=0.7, momentum={"start": 0.9})
    t = sphere(6, 2, DIM)
    old = method.prototypes.weight.detach().clone()
    with torch.no_grad():
        method.prototypes.weight += 1
    method.after_step(t, step=0, total=10)
    scores = t @ F.normalize(old, dim=1).T  # of the teacher that made them
    slow = [0.3 * mean(scores[n, v, k] for n in range(6) for v in (0, 1)) for k in range(4)]
    assert method.centre.tolist() == pytest.approx(slow, rel=1e-12)
    torch.testing.assert_close(method.teacher.networks[2].weight, old + 0.1)
    method.centre.copy_(torch.ones(4))
    method.after_step(t, step=1, total=10)
    scores = t @ F.normalize(old + 0.1, dim=1).T
    assert method.centre[2].item() == pytest.approx(0.7 + 0.3 * scores[..., 2].mean().item(), rel=1e-12)


@pytest.mark.parametrize(
    ("epochs", "temperatures"),
    [(3, [0.02, 0.03, 0.04, 0.04]), (1, [0.02, 0.04, 0.04, 0.04]), (0, [0.04, 0.04, 0.04, 0.04])],
)
def test_dinos_temperature_warms_up(epochs: int, temperatures: list[float]) -> None:
    method = made(DINO, prototypes=4, teacher_start=0.02, teacher_warmup_epochs=epochs, freeze_epochs=2)
    for epoch, temperature in enumerate(temperatures):
        method.before_step(epoch)
        assert method.temperature.item() == pytest.approx(temperature, rel=1e-12)
        assert method.prototypes.weight.requires_grad == (epoch >= 2)


@pytest.mark.parametrize("cls", [SwAV, DINO])
def test_local_views_come_after_the_global_ones_and_the_teacher_does_not_see_them(cls: type[Method]) -> None:
    method = made(cls, prototypes=4)
    views, local = normal(3, 2, 1, 2, 2), normal(3, 4, 1, 2, 2, seed=1)
    embedded = method.embed(views, local)
    z = method.head(method.encoder(torch.cat([views, local], 1).flatten(0, 1))).unflatten(0, (3, 6))
    torch.testing.assert_close(embedded["z"], F.normalize(z, dim=-1))
    assert embedded.get("t", z[:, :2]).shape == (3, 2, DIM)
    torch.testing.assert_close(method.embed(views)["z"], embedded["z"][:, :2])


@pytest.mark.parametrize("cls", [SwAV, DINO])
def test_the_head_sees_all_crops_together_and_the_encoder_those_of_a_size(cls: type[Method]) -> None:
    """BatchNorm in the head takes its statistics over global and local crops, as in the authors' codes."""
    torch.manual_seed(0)
    encoder, head = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten()), nn.BatchNorm1d(4)
    head.dim = 4  # type: ignore[assignment]
    name = cls.__module__.rsplit(".", 1)[-1]
    options = options_for(("methods",), "name", {"name": name, "prototypes": 3})
    method = cls(options, encoder, head).double().train()
    views, local = normal(3, 2, 1, 4, 4), normal(3, 4, 1, 2, 2, seed=1) + 5
    features = torch.cat([encoder(views.flatten(0, 1)).unflatten(0, (3, 2)), local.flatten(2)], 1)
    rows = features.flatten(0, 1)
    z = (features - rows.mean(0)) / (rows.var(0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(method.embed(views, local)["z"], F.normalize(z, dim=-1))


@pytest.mark.parametrize("leaves", [None, "student", "teacher"])
def test_dino_leaves_the_network_that_is_asked_for(leaves: str | None) -> None:
    method = made(DINO, prototypes=4, leaves=leaves)
    with torch.no_grad():
        for p in (*method.encoder.parameters(), *method.head.parameters()):
            p += 1  # the student has moved on
    student = [p.clone() for part in (method.encoder, method.head) for p in part.parameters()]
    teacher = [p.clone() for part in method.teacher.networks[:2] for p in part.parameters()]
    method.end()
    left = [p for part in (method.encoder, method.head) for p in part.parameters()]
    for found, expected in zip(left, teacher if leaves == "teacher" else student, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_deepcluster_keeps_its_books() -> None:
    """Two epochs of two batches: collecting, then predicting the clusters of what was collected."""
    method = made(DeepClusterV2, prototypes=[2, 3, 99], temperature=0.2)
    method.begin(8)
    assert [len(c) for c in method._centroids()] == [2, 3, 8]
    batches = [torch.tensor([7, 0, 3, 5]), torch.tensor([1, 6, 2, 4])]
    first = [sphere(4, 3, DIM, seed=s).requires_grad_() for s in (0, 1)]
    for step, (index, z) in enumerate(zip(batches, first, strict=True)):
        method.before_step(step, 0, 2)
        loss = method.loss(z, index)
        loss.backward()
        assert loss.item() == pytest.approx(mean(math.log(k) for k in (2, 3, 8)))
        assert z.grad is not None and z.grad.abs().max() == 0
        method.after_step(z.detach(), index)
    for view in (0, 1):
        kept = torch.cat([z[:, view] for z in first])[torch.cat(batches).argsort()]
        torch.testing.assert_close(method.banks[view].rows, kept)

    torch.manual_seed(5)
    method.before_step(2, 1, 2)
    torch.manual_seed(5)
    for head, (view, k) in enumerate(((0, 2), (1, 3), (0, 8))):
        centroids, nearest = spherical_kmeans(method.banks[view].rows, k, 10)
        torch.testing.assert_close(method._centroids()[head], centroids)
        assert torch.equal(method.assignments[head], nearest)

    z, index = sphere(4, 3, DIM, seed=2), batches[1]
    terms = []
    for head, centroids in enumerate(method._centroids()):
        for n, v in ((n, v) for n in range(4) for v in range(3)):
            weights = [math.exp(float(z[n, v] @ c) / 0.2) for c in centroids]
            terms.append((head, -math.log(weights[method.assignments[head, index[n]]] / sum(weights))))
    slow = mean(mean(x for h, x in terms if h == head) for head in range(3))
    assert method.loss(z, index).item() == pytest.approx(slow, rel=1e-12)
    before = method.assignments.clone()
    method.after_step(z, index)
    method.before_step(3, 1, 2)  # in the middle of an epoch nothing is clustered
    assert torch.equal(method.assignments, before)
    torch.testing.assert_close(method.banks[1].rows[6], z[1, 1])


# ---- in the engine

PREDICTOR = {"kind": "mlp", "hidden": 6, "out": 8, "norm": True}
IN_THE_ENGINE: dict[type[Method], dict[str, Any]] = {
    BYOL: {"predictor": PREDICTOR},
    SimSiam: {"predictor": PREDICTOR},
    BarlowTwins: {},
    VICReg: {},
    WMSE: {"size": 9},
    INTL: {},
    TiCo: {},
    SwAV: {"prototypes": 6, "queue": 16, "queue_from_epoch": 0},
    DINO: {"prototypes": 6, "freeze_epochs": 1},
    DeepClusterV2: {"prototypes": [4, 3]},
}


def run(cls: type[Method], micro: int | None, samples: int = 20) -> tuple[list[float], Tensor]:
    """Four steps, two epochs; the losses, and all state."""
    torch.manual_seed(1)
    encoder, head = network()
    head.dim = 8  # type: ignore[assignment]
    name = cls.__module__.rsplit(".", 1)[-1]
    method = cls(
        options_for(("methods",), "name", {"name": name, **IN_THE_ENGINE[cls]}), encoder, head
    ).double()
    method.begin(samples)
    bn = convert(method)
    optimizer = optim.build(Optimizer(lr=0.05, momentum=0.9), trainable(method))
    updater = Updater(alone(), BatchPlan(16, 4, 1, micro), method, optimizer, bn, seed=5)
    data, small = normal(samples, 2, 3, 8, 8), normal(samples, 3, 3, 6, 6, seed=1)
    losses = []
    for step, size in enumerate((16, 11, 16, 16)):
        index = torch.randperm(samples, generator=generator(step))[:size]
        when = {"step": step, "total": 4, "epoch": step // 2, "epochs": 2, "per_epoch": 2}
        torch.manual_seed(step)
        call(method.before_step, when)
        views = {"views": data[index], "local": small[index]}
        loss, embedded = updater.step(step, views, {"label": index % 3, "index": index})
        call(method.after_step, {**when, **embedded, "label": index % 3, "index": index})
        losses.append(loss.item())
    return losses, torch.cat([v.double().flatten() for v in method.state_dict().values()])


@pytest.mark.parametrize("cls", IN_THE_ENGINE)
def test_chunks_do_not_show(cls: type[Method]) -> None:
    losses, state = run(cls, None)
    chunked, chunked_state = run(cls, 8)
    assert len(set(losses)) > 1 and all(map(math.isfinite, losses))
    assert losses == pytest.approx(chunked, abs=1e-9)
    assert (state - chunked_state).abs().max() < 1e-9


@pytest.mark.parametrize("cls", IN_THE_ENGINE)
def test_the_state_is_in_the_checkpoint(cls: type[Method]) -> None:
    """Every tensor that a step changes belongs to the state that is saved."""
    options = IN_THE_ENGINE[cls]
    method = made(cls, **options | ({"predictor": None} if "predictor" in options else {}))
    method.begin(12)
    tensors = {n for n, _ in (*method.named_parameters(), *method.named_buffers())}
    assert tensors == set(method.state_dict())
    stray = [n for m in method.modules() for n, v in vars(m).items() if isinstance(v, Tensor)]
    assert not stray
