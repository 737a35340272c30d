"""The contrastive methods: losses against slow transcriptions of their formulas, and what the methods remember."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from repro.components import load, options_for
from repro.engine import optim
from repro.engine.method import Method, call, unit
from repro.engine.plan import BatchPlan
from repro.engine.update import Updater, trainable
from repro.keys import generator, key
from repro.methods.contrastive.align_uniform import alignment, uniformity
from repro.methods.contrastive.dcl import fisher_weights, pairs
from repro.methods.contrastive.simclr import nt_xent
from repro.methods.parts.memory import Queue
from repro.methods.parts.momentum_encoder import ema_decay
from repro.networks.batchnorm import convert
from repro.networks.build import Bare
from repro.options import Momentum, Optimizer
from tests.test_invariance import alone, network
from tests.test_methods import slow_nt_xent, sphere

PREDICTOR = {"kind": "mlp", "hidden": 8, "out": 8, "norm": True}
METHODS: dict[str, dict[str, Any]] = {
    "moco": {"queue": 24},
    "moco (symmetric)": {"queue": 24, "symmetric": True},
    "moco_v3": {"predictor": PREDICTOR},
    "nnclr": {"predictor": PREDICTOR, "queue": 24},
    "ressl": {"queue": 24},
    "dcl": {},
    "dcl (weighted)": {"weighted_sigma": 0.5},
    "debiased": {},
    "hcl": {},
    "npid": {"negatives": 7},
    "npid (exact)": {"negatives": None},
    "invariant_spread": {},
    "spectral": {"mu": 3.0},
    "align_uniform": {},
}
PURE = (
    "dcl",
    "dcl (weighted)",
    "debiased",
    "hcl",
    "invariant_spread",
    "spectral",
    "align_uniform",
    "moco_v3",
)


def make(label: str, encoder: nn.Module | None = None, head: nn.Module | None = None, **options: Any) -> Any:
    """A method in float64, of 5 dimensions if not told otherwise."""
    chosen = {"name": label.split(" ")[0], **(options or METHODS[label])}
    cls = load(("methods",), chosen["name"])
    o = options_for(("methods",), "name", chosen)
    return cls(o, encoder or nn.Linear(5, 5), head or Bare(5)).double()


def dot(a: Tensor, b: Tensor) -> float:
    return sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))


def nce(anchor: Tensor, positive: Tensor, others: list[Tensor], t: float) -> float:
    """−log of the positive's share among the positive and the others."""
    own = math.exp(dot(anchor, positive) / t)
    return -math.log(own / (own + sum(math.exp(dot(anchor, other) / t) for other in others)))


def contrasts(z: Tensor) -> list[tuple[Tensor, Tensor, list[Tensor]]]:
    """(anchor, its other view, the views of other samples) for each view."""
    n = len(z)
    return [
        (z[i, v], z[i, 1 - v], [z[j, w] for j in range(n) for w in (0, 1) if j != i])
        for v in (0, 1)
        for i in range(n)
    ]


# MoCo


@pytest.mark.parametrize("symmetric", [False, True])
def test_moco_is_equation_1(symmetric: bool) -> None:
    method = make("moco", queue=11, symmetric=symmetric)
    views = 2 if symmetric else 1
    q, k, rows = sphere(4, views, 5), sphere(4, views, 5, seed=1), list(method.queue.rows)
    slow = [nce(q[i, v], k[i, v], rows, 0.2) for i in range(4) for v in range(views)]
    assert method.loss(q, k).item() == pytest.approx(sum(slow) / len(slow), rel=1e-12)


def test_moco_asks_one_view_for_the_key_of_the_other() -> None:
    views = torch.randn(3, 2, 5, dtype=torch.float64, generator=generator(1))
    both, one = make("moco", queue=4, symmetric=True), make("moco", queue=4)
    both.momentum_encoder.networks[0].weight.mul_(-2)
    one.load_state_dict(both.state_dict())
    q, k = unit(both.encoder(views)), unit(both.momentum_encoder.networks[0](views))
    torch.testing.assert_close(both.embed(views), {"q": q, "k": k.flip(1)})
    torch.testing.assert_close(one.embed(views), {"q": q[:, :1], "k": k[:, 1:]})


def test_the_queue_is_first_in_first_out() -> None:
    queue, fresh = Queue(5, 1), torch.arange(1.0, 15.0)[:, None]
    start = queue.rows.flatten().tolist()
    queue.push(fresh[:3])
    assert queue.rows.flatten().tolist() == [1, 2, 3, *start[3:]]
    queue.push(fresh[3:7])  # 4, 5, 6, 7 go round the end
    assert queue.rows.flatten().tolist() == [6, 7, 3, 4, 5] and int(queue.at) == 2
    queue.push(fresh[7:14])  # more than fit: 10 to 14 stay
    assert sorted(queue.rows.flatten().tolist()) == [10, 11, 12, 13, 14]
    queue.push(fresh[:1])
    assert sorted(queue.rows.flatten().tolist()) == [1, 11, 12, 13, 14]


def test_moco_pushes_the_keys_and_follows_by_its_momentum() -> None:
    method = make("moco", queue=6, symmetric=True, momentum={"start": 0.9})
    old = method.momentum_encoder.networks[0].weight.clone()
    with torch.no_grad():
        method.encoder.weight.add_(1)
    k = sphere(2, 2, 5)
    method.after_step(k=k, step=3, total=10)
    torch.testing.assert_close(method.queue.rows[:4], torch.stack([k[0, 0], k[0, 1], k[1, 0], k[1, 1]]))
    torch.testing.assert_close(method.momentum_encoder.networks[0].weight, 0.9 * old + 0.1 * (old + 1))


# MoCo v3


def test_moco_v3_is_algorithm_1() -> None:
    q, k, t = sphere(4, 2, 5), sphere(4, 2, 5, seed=1), 0.3
    slow = 0.0
    for i, (a, b) in product(range(4), [(0, 1), (1, 0)]):
        others = [k[j, b] for j in range(4) if j != i]
        slow += 2 * t * nce(q[i, a], k[i, b], others, t) / 4
    method = make("moco_v3", predictor=PREDICTOR, temperature=t)
    assert method.loss(q, k).item() == pytest.approx(slow, rel=1e-12)


def test_moco_v3_follows_without_its_predictor_ever_more_slowly() -> None:
    method = make("moco_v3", predictor=PREDICTOR)
    old = method.momentum_encoder.networks[0].weight.clone()
    with torch.no_grad():
        method.encoder.weight.add_(1)
    method.after_step(step=5, total=10)
    torch.testing.assert_close(
        method.momentum_encoder.networks[0].weight, old + 0.005
    )  # halfway from 0.99 to 1
    assert ema_decay(Momentum(start=0.99, end=1.0), 0, 10) == pytest.approx(0.99)
    assert len(list(method.momentum_encoder)) == 2


# NNCLR


def test_nnclr_is_equation_3_with_the_neighbours_of_equation_4() -> None:
    method = make("nnclr", predictor=PREDICTOR, queue=9)
    z, p = sphere(4, 2, 5), sphere(4, 2, 5, seed=1)
    slow = 0.0
    for i, (a, b) in product(range(4), [(0, 1), (1, 0)]):
        found = min(method.queue.rows, key=lambda row: float((z[i, a] - row).norm()))
        slow += nce(found, p[i, b], [p[k, b] for k in range(4) if k != i], 0.1) / 8
    assert method.loss(z, p).item() == pytest.approx(slow, rel=1e-12)


def test_nnclr_finds_the_neighbours_that_one_sees() -> None:
    method = make(
        "nnclr", encoder=nn.Linear(2, 2), head=Bare(2), predictor=PREDICTOR, queue=3, temperature=1.0
    )
    method.queue.rows.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]))
    z = torch.tensor([[[0.8, 0.6], [0.6, 0.8]], [[-0.8, 0.6], [-0.6, -0.8]]], dtype=torch.float64)
    p = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.0, -1.0], [-1.0, 0.0]]], dtype=torch.float64)
    # view 1: rows 0 and 2 against (0, 1), (−1, 0); view 2: rows 1 and 2 against (1, 0), (0, −1)
    logits = [([0, -1], 0), ([0, 1], 1), ([0, -1], 0), ([-1, 0], 1)]
    slow = sum(math.log(sum(map(math.exp, row))) - row[i] for row, i in logits) / 4
    assert method.loss(z, p).item() == pytest.approx(slow, rel=1e-12)


def test_nnclr_remembers_the_projections_of_view_1_and_gives_them_no_gradient() -> None:
    method = make("nnclr", predictor=PREDICTOR, queue=9)
    z, p = sphere(4, 2, 5).requires_grad_(), sphere(4, 2, 5, seed=1).requires_grad_()
    method.loss(z, p).backward()
    assert z.grad is None and p.grad is not None
    method.after_step(z=z.detach())
    torch.testing.assert_close(method.queue.rows[:4], z[:, 0].detach())


# ReSSL


def test_ressl_is_the_cross_entropy_of_relations() -> None:
    method = make("ressl", queue=9)
    z, t, rows = sphere(4, 5), sphere(4, 5, seed=1), list(method.queue.rows)
    slow = 0.0
    for i in range(4):
        weights = [math.exp(dot(t[i], row) / 0.04) for row in rows]
        for j in range(9):
            slow += weights[j] / sum(weights) * nce(z[i], rows[j], rows[:j] + rows[j + 1 :], 0.1) / 4
    assert method.loss(z, t).item() == pytest.approx(slow, rel=1e-12)


def test_ressl_has_no_gradient_where_student_and_teacher_agree() -> None:
    method = make("ressl", queue=9, temperature=0.1, teacher_temperature=0.1)
    z = sphere(4, 5).requires_grad_()
    method.loss(z, z).backward()
    assert z.grad is not None and z.grad.abs().max() < 1e-12
    method.loss(z, sphere(4, 5, seed=1)).backward()
    assert z.grad.abs().max() > 1e-2


def test_ressl_teaches_view_1_by_view_2_and_remembers_the_teacher() -> None:
    method = make("ressl", queue=9, momentum={"start": 0.9})
    teacher = method.teacher.networks[0]
    teacher.weight.mul_(-2)
    views = torch.randn(3, 2, 5, dtype=torch.float64, generator=generator(1))
    embedded = method.embed(views)
    z, t = unit(method.encoder(views[:, 0])), unit(teacher(views[:, 1]))
    torch.testing.assert_close(embedded, {"z": z, "t": t})
    expected = 0.9 * teacher.weight + 0.1 * method.encoder.weight.detach()
    method.after_step(t=embedded["t"], step=0, total=3)
    torch.testing.assert_close(method.queue.rows[:3], embedded["t"])
    torch.testing.assert_close(teacher.weight, expected)


# DCL


@pytest.mark.parametrize("temperature", [0.1, 0.5])
@pytest.mark.parametrize("sigma", [None, 0.5])
def test_dcl_leaves_the_positive_out_of_the_denominator(temperature: float, sigma: float | None) -> None:
    z = sphere(5, 2, 5)
    agreement = [math.exp(dot(z[i, 0], z[i, 1]) / sigma) if sigma else 1.0 for i in range(5)]
    slow = 0.0
    for row, (anchor, positive, others) in enumerate(contrasts(z)):
        weight = 2 - agreement[row % 5] / (sum(agreement) / 5)
        below = sum(math.exp(dot(anchor, other) / temperature) for other in others)
        slow += (-weight * dot(anchor, positive) / temperature + math.log(below)) / 10
    method = make("dcl", temperature=temperature, weighted_sigma=sigma)
    assert method.loss(z).item() == pytest.approx(slow, rel=1e-12)


def test_the_gradient_of_info_nce_is_that_of_dcl_times_the_coupling() -> None:
    """Proposition 1, anchor by anchor: q = 1 − p(positive)."""
    z, t = sphere(5, 2, 5).requires_grad_(), 0.2
    positive, negative = pairs(z, t)
    decoupled = negative.logsumexp(1) - positive
    coupled = torch.logaddexp(positive, negative.logsumexp(1)) - positive
    assert decoupled.mean().item() == pytest.approx(make("dcl", temperature=t).loss(z).item(), rel=1e-12)
    assert coupled.mean().item() == pytest.approx(nt_xent(z, t).item(), rel=1e-12)
    for row, (anchor, other, others) in enumerate(contrasts(z.detach())):
        q = 1 - math.exp(-nce(anchor, other, others, t))
        (ours,) = torch.autograd.grad(decoupled[row], z, retain_graph=True)
        (theirs,) = torch.autograd.grad(coupled[row], z, retain_graph=True)
        assert 0 < q < 1
        torch.testing.assert_close(theirs, q * ours, rtol=1e-10, atol=1e-12)


def test_the_weights_of_dclw_have_mean_1_and_fall_with_agreement() -> None:
    z = sphere(7, 2, 5)
    weights = fisher_weights(z, 0.5)
    assert weights.mean().item() == pytest.approx(1, rel=1e-12)
    assert torch.equal(weights.argsort(), (z[:, 0] * z[:, 1]).sum(-1).argsort(descending=True))


# Debiased and hard negatives


def slow_hcl(z: Tensor, t: float, tau_plus: float, beta: float) -> tuple[float, int]:
    """The loss by the papers' formulas, and how often g was at its least."""
    total, floors = 0.0, 0
    for anchor, positive, others in contrasts(z):
        own = math.exp(dot(anchor, positive) / t)
        values = [math.exp(dot(anchor, other) / t) for other in others]
        z_beta = sum(v**beta for v in values) / len(values)
        mean = sum(v**beta / z_beta * v for v in values) / len(values)
        g = (mean - tau_plus * own) / (1 - tau_plus)
        floors += g < math.exp(-1 / t)
        total += -math.log(own / (own + len(values) * max(g, math.exp(-1 / t))))
    return total / (2 * len(z)), floors


@pytest.mark.parametrize("temperature", [0.1, 0.5])
@pytest.mark.parametrize("tau_plus", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_debiased_and_hcl_are_their_equations(temperature: float, tau_plus: float, beta: float) -> None:
    z = sphere(5, 2, 5)
    z[0, 1] = z[0, 0]  # an easy pair, for which the correction exceeds the negatives
    slow, floors = slow_hcl(z, temperature, tau_plus, beta)
    assert floors > 0 or tau_plus < 0.5
    hard = make("hcl", temperature=temperature, tau_plus=tau_plus, beta=beta)
    assert hard.loss(z).item() == pytest.approx(slow, rel=1e-11)
    if beta == 0:
        debiased = make("debiased", temperature=temperature, tau_plus=tau_plus)
        assert debiased.loss(z).item() == pytest.approx(hard.loss(z).item(), rel=1e-12)


@pytest.mark.parametrize("name", ["debiased", "hcl"])
@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_without_correction_they_are_nt_xent_with_its_gradient(name: str, temperature: float) -> None:
    z = sphere(6, 2, 4).requires_grad_()
    options = {"beta": 0.0} if name == "hcl" else {}
    loss = make(name, temperature=temperature, tau_plus=0.0, **options).loss(z)
    assert loss.item() == pytest.approx(slow_nt_xent(z.detach(), temperature), rel=1e-12)
    gradients = [torch.autograd.grad(x, z)[0] for x in (loss, nt_xent(z, temperature))]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)


def test_the_least_of_g_does_not_spoil_the_gradient() -> None:
    z = sphere(6, 2, 4).float()
    z[:, 1] = z[:, 0]
    z.requires_grad_()
    make("debiased", temperature=0.05, tau_plus=0.9).float().loss(z).backward()
    assert z.grad is not None and z.grad.isfinite().all()


# Instance discrimination


def remembering(**options: Any) -> Any:
    method = make("npid", **options)
    method.begin(9)
    return method.double()


def test_npid_without_negatives_is_the_softmax_over_the_bank() -> None:
    method, z, index = remembering(negatives=None), sphere(4, 5), torch.tensor([3, 0, 8, 5])
    rows = list(method.bank.rows)
    slow = [nce(z[i], rows[j], rows[:j] + rows[j + 1 :], 0.07) for i, j in enumerate(index.tolist())]
    assert method.loss(z, index).item() == pytest.approx(sum(slow) / 4, rel=1e-12)


def test_npid_is_noise_contrastive_estimation() -> None:
    method, index, t, m, n = remembering(negatives=6), torch.tensor([3, 0, 8, 5]), 0.07, 6, 9
    first, z = sphere(4, 5), sphere(4, 5, seed=1)
    rows = list(method.bank.rows.clone())
    constant = sum(math.exp(dot(f, row) / t) for f in first for row in rows) / 4

    def h(f: Tensor, row: Tensor) -> float:
        p = math.exp(dot(f, row) / t) / constant
        return p / (p + m / n)

    def slow(z: Tensor) -> float:
        torch.manual_seed(3)
        drawn = torch.randint(n, (4, m)).tolist()
        rows = list(method.bank.rows)
        own = [math.log(h(z[i], rows[j])) for i, j in enumerate(index.tolist())]
        noise = [math.log(1 - h(z[i], rows[j])) for i in range(4) for j in drawn[i]]
        return -(sum(own) + sum(noise)) / 4

    expected = slow(first)
    torch.manual_seed(3)
    assert method.loss(first, index).item() == pytest.approx(expected, rel=1e-10)
    method.after_step(z=first, index=index)
    assert method.log_z.item() == pytest.approx(math.log(constant), rel=1e-12)
    expected = slow(z)  # with the constant of the first batch, and the renewed bank
    torch.manual_seed(3)
    assert method.loss(z, index).item() == pytest.approx(expected, rel=1e-10)
    method.after_step(z=z, index=index)
    assert method.log_z.item() == pytest.approx(math.log(constant), rel=1e-12)


def test_npid_renews_the_rows_of_the_batch() -> None:
    method, z, index = remembering(bank_momentum=0.25, negatives=2), sphere(2, 5), torch.tensor([7, 2])
    old = method.bank.rows.clone()
    method.after_step(z=z, index=index)
    for i in range(9):
        row = old[i]
        if i in (7, 2):
            row = 0.25 * row + 0.75 * z[0 if i == 7 else 1]
            row = row / row.norm()
        torch.testing.assert_close(method.bank.rows[i], row)


# Invariant and spreading features


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_invariant_spread_is_equation_6(temperature: float) -> None:
    f, n = sphere(5, 2, 5), 5

    def probability(i: int, x: Tensor) -> float:
        weights = [math.exp(dot(f[k, 0], x) / temperature) for k in range(n)]
        return weights[i] / sum(weights)

    slow = 0.0
    for i in range(n):
        slow -= math.log(probability(i, f[i, 1])) / n
        slow -= sum(math.log(1 - probability(i, f[j, 0])) for j in range(n) if j != i) / n
    method = make("invariant_spread", temperature=temperature)
    assert method.loss(f).item() == pytest.approx(slow, rel=1e-12)


# The spectral loss


def test_spectral_is_its_definition() -> None:
    z, n = 2 * sphere(5, 2, 5), 5
    own = sum(dot(z[i, 0], z[i, 1]) for i in range(n)) / n
    other = [dot(z[i, 0], z[j, 1]) ** 2 for i in range(n) for j in range(n) if j != i]
    assert make("spectral").loss(z).item() == pytest.approx(-2 * own + sum(other) / len(other), rel=1e-12)


def test_spectral_scales_only_what_is_too_long() -> None:
    method = make("spectral", nn.Identity(), mu=4.0)
    raw = torch.randn(20, 2, 5, dtype=torch.float64, generator=generator(1))
    z = method.embed(raw)["z"]
    long = raw.norm(dim=-1) > 2
    assert long.any() and not long.all()
    torch.testing.assert_close(z[~long], raw[~long])
    torch.testing.assert_close(z[long], 2 * raw[long] / raw[long].norm(dim=-1, keepdim=True))


def test_the_minimum_of_the_spectral_loss_is_at_the_top_eigenvectors() -> None:
    """Lemma 3.2: the loss is ‖A − FFᵀ‖² − ‖A‖², with A the normalised graph and F the rows √w_x f(x).

    The expectation over batches of two independent positive pairs is taken exactly, with the method's own loss.
    """
    nodes, k = range(5), 2
    weight = torch.rand(5, 5, generator=generator(4), dtype=torch.float64) ** 3 + torch.eye(5)
    weight = (weight + weight.T) / (2 * weight.sum())
    degree = weight.sum(1)
    graph = weight / (degree[:, None] * degree).sqrt()
    values, vectors = torch.linalg.eigh(graph)
    top = vectors[:, -k:] * values[-k:].sqrt()
    method = make("spectral")
    edges = list(product(nodes, nodes))

    def expected(f: Tensor) -> Tensor:
        batches = torch.stack([torch.stack([f[list(a)], f[list(b)]]) for a in edges for b in edges])
        probability = torch.stack([weight[a] * weight[b] for a in edges for b in edges])
        losses = torch.stack([method.loss(z) for z in batches])
        return (probability * losses).sum()

    def by_factorisation(f: Tensor) -> float:
        rows = degree.sqrt()[:, None] * f
        return float((graph - rows @ rows.T).square().sum() - graph.square().sum())

    best = (top / degree.sqrt()[:, None]).requires_grad_()
    loss = expected(best)
    assert values[-k] > 0
    assert loss.item() == pytest.approx(-values[-k:].square().sum().item(), rel=1e-12)
    assert torch.autograd.grad(loss, best)[0].abs().max() < 1e-12
    for seed in range(5):
        other = best.detach() + torch.randn(5, k, generator=generator(seed), dtype=torch.float64) / 3
        assert expected(other).item() == pytest.approx(by_factorisation(other), rel=1e-10)
        assert expected(other) > loss


# Alignment and uniformity


def test_align_uniform_is_its_definition() -> None:
    z, n, alpha, t = sphere(5, 2, 5), 5, 3.0, 1.5
    near = sum(float((z[i, 0] - z[i, 1]).norm()) ** alpha for i in range(n)) / n
    spread = 0.0
    for v in (0, 1):
        pairs = [(i, j) for i in range(n) for j in range(i)]
        kernel = [math.exp(-t * float((z[i, v] - z[j, v]).norm()) ** 2) for i, j in pairs]
        spread += math.log(sum(kernel) / len(pairs)) / 2
    method = make("align_uniform", align=0.7, uniform=1.3, alpha=alpha, t=t)
    assert method.loss(z).item() == pytest.approx(0.7 * near + 1.3 * spread, rel=1e-12)


def test_alignment_of_equal_views_is_0_and_uniformity_of_a_simplex_is_known() -> None:
    x, corners, t = sphere(6, 5), 4, 2.0
    assert alignment(x, x, 2.0).item() == 0
    simplex = torch.eye(corners, dtype=torch.float64) - 1 / corners
    simplex = simplex / simplex.norm(dim=1, keepdim=True)
    assert uniformity(simplex, t).item() == pytest.approx(-2 * t * corners / (corners - 1), rel=1e-12)


def test_alignment_of_equal_views_has_a_finite_gradient() -> None:
    z = sphere(4, 1, 5).repeat(1, 2, 1).requires_grad_()
    make("align_uniform").loss(z).backward()
    assert z.grad is not None and z.grad.isfinite().all()


# All of them


@pytest.mark.parametrize("label", PURE)
def test_losses_ignore_the_order_of_samples_and_rotations(label: str) -> None:
    method, z, k = make(label), sphere(6, 2, 5), sphere(6, 2, 5, seed=1)
    rotation = torch.linalg.qr(sphere(5, 5, seed=5))[0]
    order = torch.randperm(6, generator=generator(3))
    arguments = (z, k) if label == "moco_v3" else (z,)
    loss = method.loss(*arguments).item()
    assert method.loss(*(x[order] for x in arguments)).item() == pytest.approx(loss, rel=1e-10)
    assert method.loss(*(x @ rotation for x in arguments)).item() == pytest.approx(loss, rel=1e-10)


@pytest.mark.parametrize("label", ["moco", "nnclr", "ressl", "npid (exact)"])
def test_losses_ignore_rotations_that_turn_the_memory_too(label: str) -> None:
    method = make(label)
    method.begin(9)
    method = method.double()
    rotation = torch.linalg.qr(sphere(5, 5, seed=5))[0]
    shape = (6, 5) if label in ("ressl", "npid (exact)") else (6, 2, 5)
    arguments = [sphere(*shape), sphere(*shape, seed=1)]
    extra = [torch.arange(6)] if label == "npid (exact)" else []
    arguments = arguments[:1] if extra else arguments
    loss = method.loss(*arguments, *extra).item()
    memory = method.bank if extra else method.queue
    memory.rows.copy_(memory.rows @ rotation)
    assert method.loss(*(x @ rotation for x in arguments), *extra).item() == pytest.approx(loss, rel=1e-10)


@pytest.mark.parametrize("label", [name for name in PURE if name != "moco_v3"])
@pytest.mark.parametrize("case", ["random", "collapsed", "opposite"])
def test_losses_and_gradients_are_finite_in_float32(label: str, case: str) -> None:
    z = sphere(6, 2, 5).float()
    if case == "collapsed":
        z = z[:1, :1].repeat(6, 2, 1)
    if case == "opposite":
        z[:, 1] = -z[:, 0]
    z.requires_grad_()
    loss = make(label).float().loss(z)
    loss.backward()
    assert loss.isfinite() and z.grad is not None and z.grad.isfinite().all()


def train(label: str, micro: int | None) -> list[float]:
    """The losses of three steps with BatchNorm over 4 samples, in chunks of `micro` samples."""
    torch.manual_seed(1)
    encoder, head = network()
    head.dim = 8  # type: ignore[assignment]
    method: Method = make(label, encoder, head)
    count = 1 if label.startswith("npid") else 2
    data = torch.randn(40, count, 3, 8, 8, dtype=torch.float64, generator=generator(2))
    method.begin(len(data))
    method.double()
    span = convert(method)
    optimizer = optim.build(Optimizer(lr=0.05, momentum=0.9), trainable(method))
    updater = Updater(alone(), BatchPlan(16, 4, 1, micro), method, optimizer, span, seed=5)
    losses = []
    for step in range(3):
        index = torch.randperm(len(data), generator=generator(key("order", step)))[:16]
        when = {"step": step, "total": 3, "index": index}
        loss, embedded = updater.step(step, {"views": data[index]}, {"label": index % 3, "index": index})
        call(method.after_step, {**embedded, **when})
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("label", METHODS)
def test_the_division_into_chunks_does_not_show(label: str) -> None:
    whole, chunks = train(label, None), train(label, 8)
    assert len(set(whole)) == 3 and all(map(math.isfinite, whole))
    assert chunks == pytest.approx(whole, abs=1e-9)
