"""Attention, full, hashed and projected, reversible layers, and the experiments of the Reformer and the Linformer."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional as F

from repro import components
from repro.engine.budget import Deadline, Stopped
from repro.experiments.efficient_attention import random_projection
from repro.experiments.efficient_attention.duplication import duplicated, logits
from repro.experiments.efficient_attention.linformer_efficiency import LinformerEfficiency
from repro.experiments.efficient_attention.live import Live
from repro.experiments.efficient_attention.lsh_convergence import paired
from repro.networks.attention.full import full, shared_qk
from repro.networks.attention.linformer import linformer
from repro.networks.attention.lsh import hashed, lsh, rotations
from repro.networks.linformer import EncoderLayer
from repro.networks.reformer import Reformer, sines
from repro.networks.reversible import Reversible, back, through
from repro.recipes.load import load
from tests.test_engine import context

RECIPES = [
    "reformer-duplication",
    "reformer-duplication-short",
    "reformer-reversible",
    "reformer-lsh-convergence",
    "linformer-efficiency",
    "linformer-jl",
]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def run(kind: str, folder: Path, smoke: bool = False, **changes: Any) -> Any:
    """The outcome of an experiment with these options on the CPU."""
    stage: Any = components.load(("experiments",), kind)
    facts = {"device": torch.device("cpu"), "picture": lambda name: folder / name, "checkpoint_every": 1e9}
    ctx = context(folder, **facts, **changes.pop("ctx", {}))
    ctx.folder.mkdir(parents=True, exist_ok=True)
    options = changes.pop("options", None) or stage.Options.model_validate({"kind": kind, **changes})
    return stage(stage.smoke(options) if smoke else options).run(ctx)


# Attention


def test_full_attention_is_that_of_torch() -> None:
    q, k, v = normal(2, 3, 7, 5), normal(2, 3, 9, 5), normal(2, 3, 9, 4)
    assert torch.allclose(full(q, k, v), F.scaled_dot_product_attention(q, k, v))


def attended(qk: Tensor, v: Tensor, sets: list[set[int]]) -> Tensor:
    """Each position's softmax over q_i · q_j/‖q_j‖ for the others j in its set, or over itself if there are none."""
    rows = []
    for i, reached in enumerate(sets):
        keys = sorted(reached - {i}) or [i]
        scores = [float(qk[i] @ qk[j]) / math.sqrt(float(qk[j] @ qk[j])) for j in keys]
        weights = np.exp(np.array(scores) - max(scores))
        rows.append(sum(w * v[j] for w, j in zip(weights / weights.sum(), keys, strict=True)))
    return torch.stack(rows)


def test_shared_attention_is_that_of_a_slow_loop() -> None:
    qk, v = 3 * normal(9, 5), normal(9, 4)
    assert torch.allclose(shared_qk(qk, v), attended(qk, v, [set(range(i + 1)) for i in range(9)]))


def reached_slowly(qk: Tensor, planes: Tensor, chunk: int) -> list[set[int]]:
    """P_i of section 2, the union over the rounds, with each bucket and each place in the order found on its own."""
    length = len(qk)
    sets: list[set[int]] = [set() for _ in range(length)]
    for r in planes:
        buckets = []
        for x in qk:
            signed = [float(x @ column) for column in r.T]
            signed += [-value for value in signed]
            buckets.append(signed.index(max(signed)))
        order = sorted(range(length), key=lambda i, b=buckets: (b[i], i))
        place = {i: n // chunk for n, i in enumerate(order)}
        for i in range(length):
            sets[i] |= {j for j in range(i + 1) if buckets[i] == buckets[j] and place[j] >= place[i] - 1}
    return sets


@pytest.mark.parametrize(
    ("rounds", "buckets", "chunk"), [(1, 4, 4), (1, 2, 2), (2, 16, 8), (4, 2, 4), (3, 6, 3), (2, 4, 24)]
)
def test_hashed_attention_is_that_of_a_slow_loop(rounds: int, buckets: int, chunk: int) -> None:
    qk, v, planes = 3 * normal(2, 2, 24, 5), normal(2, 2, 24, 3), rotations(2, rounds, 5, buckets).double()
    fast = lsh(qk, v, planes, chunk)
    for n in range(2):
        for head in range(2):
            sets = reached_slowly(qk[n, head], planes[head], chunk)
            assert torch.allclose(fast[n, head], attended(qk[n, head], v[n, head], sets))


def test_the_gradient_of_hashed_attention_is_that_of_the_same_sets() -> None:
    """With the sets fixed, the slow loop's formula in torch, differentiated."""
    qk, v, planes = normal(12, 5), normal(12, 3), rotations(1, 3, 5, 4)[0].double()
    sets = reached_slowly(qk, planes, 4)
    allowed = torch.tensor([[j in (s - {i} or {i}) for j in range(12)] for i, s in enumerate(sets)])

    def slow(qk: Tensor, v: Tensor) -> Tensor:
        scores = qk @ (qk / qk.square().sum(1, keepdim=True).sqrt()).T
        return scores.masked_fill(~allowed, -math.inf).softmax(1) @ v

    qk.requires_grad_()
    v.requires_grad_()
    up = normal(12, 3)
    fast = torch.autograd.grad(lsh(qk, v, planes, 4), [qk, v], up)
    for ours, theirs in zip(fast, torch.autograd.grad(slow(qk, v), [qk, v], up), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-12)


def test_with_all_in_one_bucket_and_chunk_it_is_full_attention() -> None:
    qk, v = normal(1, 5) + 0.01 * normal(16, 5), normal(16, 3)
    planes = rotations(1, 2, 5, 2)[0].double()
    assert (hashed(qk, planes) == hashed(qk, planes)[:, :1]).all()
    assert torch.allclose(lsh(qk, v, planes, 16), shared_qk(qk, v))


@given(st.floats(1e-3, 1e3), st.integers(1, 8))
@settings(max_examples=20, deadline=None)
def test_buckets_depend_on_the_direction_alone_and_are_opposite_for_opposites(
    scale: float, half: int
) -> None:
    x, planes = normal(20, 4), rotations(1, 3, 4, 2 * half)[0].double()
    buckets = hashed(x, planes)
    assert ((buckets >= 0) & (buckets < 2 * half)).all()
    assert torch.equal(hashed(scale * x, planes), buckets)
    assert torch.equal(hashed(-x, planes), (buckets + half) % (2 * half))


def test_projected_attention_is_that_of_a_slow_loop() -> None:
    q, k, v, e, f = normal(6, 4), normal(6, 4), normal(6, 3), normal(2, 6), normal(2, 6)
    keys = [sum(e[a, j] * k[j] for j in range(6)) for a in range(2)]
    values = torch.stack([sum(f[a, j] * v[j] for j in range(6)) for a in range(2)])
    for i, out in enumerate(linformer(q, k, v, e, f)):
        weights = torch.stack([(q[i] * key).sum() / 2 for key in keys]).exp()
        assert torch.allclose(out, weights / weights.sum() @ values)
    identity = torch.eye(6, dtype=torch.float64)
    assert torch.allclose(linformer(q, k, v, identity, identity), full(q, k, v))


def test_an_encoder_layer_is_that_of_torch() -> None:
    ours = EncoderLayer(8, 16, 2, length=5).double()
    theirs = nn.TransformerEncoderLayer(8, 2, 16, 0.0, "gelu", batch_first=True).double()
    a = ours.attention
    with torch.no_grad():
        theirs.self_attn.in_proj_weight.copy_(torch.cat([a.q.weight, a.k.weight, a.v.weight]))
        theirs.self_attn.in_proj_bias.copy_(torch.cat([a.q.bias, a.k.bias, a.v.bias]))
    pairs = [
        (theirs.self_attn.out_proj, a.out),
        (theirs.linear1, ours.perceptron[0]),
        (theirs.linear2, ours.perceptron[2]),
    ]
    for to, source in pairs:
        to.load_state_dict(source.state_dict())
    x = normal(3, 5, 8)
    assert torch.allclose(ours(x), theirs(x))


# Reversible layers


@given(st.integers(0, 4))
@settings(max_examples=5, deadline=None)
def test_reversible_layers_have_the_gradients_of_plain_ones(depth: int) -> None:
    def layer() -> nn.Module:
        return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 6)).double()

    blocks = nn.ModuleList(Reversible(layer(), layer()) for _ in range(depth))
    x1, x2 = normal(3, 6).requires_grad_(), normal(3, 6).requires_grad_()
    y1, y2 = x1, x2
    for block in blocks:
        y1 = y1 + block.f(y2)
        y2 = y2 + block.g(y1)
    into = [x1, x2, *blocks.parameters()]
    up = [normal(3, 6), normal(3, 6)]
    plain = torch.autograd.grad([y1, y2], into, up)
    outputs = through(blocks, x1, x2)
    assert torch.equal(outputs[0], y1) and torch.equal(outputs[1], y2)
    for ours, theirs in zip(torch.autograd.grad(outputs, into, up), plain, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-12)
    for ours, theirs in zip(back(blocks, *outputs), (x1, x2), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("hashes", [0, 2])
def test_what_is_kept_is_constant_or_linear_in_depth(hashes: int, tmp_path: Path) -> None:
    outcome = run("reversible_layers", tmp_path, depths=[1, 2, 3, 5], hashes=hashes, length=16, width=8)
    kept, flat = ([point[name] for point in outcome.curve] for name in ("plain", "reversible"))
    assert flat[0] == flat[1] == flat[2] == flat[3]
    each = kept[1] - kept[0]
    assert kept[2] - kept[1] == each > 0 and kept[3] - kept[2] == 2 * each
    metrics = outcome.metrics
    assert metrics["gradient_gap"] < 1e-13 and metrics["inputs_gap"] < 1e-13 and metrics["plain_growth"] == 1
    assert (tmp_path / "kept.svg").exists()


# The model and the task


def test_places_are_sines_of_geometric_rates() -> None:
    expected = [[math.sin(t), math.cos(t), math.sin(t / 100), math.cos(t / 100)] for t in range(5)]
    assert torch.allclose(sines(5, 4), torch.tensor(expected))


def test_with_full_attention_a_symbol_sees_none_that_comes_later() -> None:
    model = Reformer(symbols=9, length=8, width=8, hidden=8, heads=2, layers=2, chunk=4)
    tokens = torch.randint(9, (2, 8))
    other = tokens.clone()
    other[:, 5:] = (other[:, 5:] + 1) % 9
    before, after = model(tokens), model(other)
    assert torch.allclose(before[:, :5], after[:, :5], atol=1e-6)
    assert not torch.allclose(before[:, 5:], after[:, 5:], atol=1e-3)


def test_sequences_say_the_same_word_twice() -> None:
    tokens = duplicated(300, 3, 4)
    assert tokens.shape == (300, 8)
    assert (tokens[:, [0, 4]] == 0).all() and torch.equal(tokens[:, 1:4], tokens[:, 5:])
    assert sorted(tokens[:, 1:4].unique().tolist()) == [1, 2, 3, 4]


@pytest.mark.parametrize(("shift", "right"), [(4, True), (3, False)])
def test_who_repeats_what_was_said_a_word_ago_is_right(shift: int, right: bool) -> None:
    """The model gets the symbols before the one to tell: x_(t−4) is the input of 3 places before."""
    tokens = duplicated(50, 4, 9)

    def repeats(said: Tensor) -> Tensor:
        return F.one_hot(said.roll(shift, 1), 10)

    found = logits(repeats, tokens, 4).argmax(-1)  # type: ignore[arg-type]
    assert torch.equal(found, tokens[:, -4:]) == right


TASK: dict[str, Any] = {
    "word": 3,
    "symbols": 3,
    "width": 16,
    "hidden": 16,
    "heads": 2,
    "chunk": 4,
    "batch": 32,
    "warmup": 20,
    "sequences": 40,
    "optimizer": {"name": "adam", "lr": 0.01},
}


@pytest.mark.parametrize("hashes", [0, 2])
def test_a_short_word_is_learnt_beyond_chance(hashes: int, tmp_path: Path) -> None:
    """Chance is a third."""
    metrics = run("duplication", tmp_path, **TASK, steps=120, hashes=hashes, evaluate=[hashes]).metrics
    assert list(metrics) == ["lsh2" if hashes else "full"]
    assert min(metrics.values()) > 55


def test_a_run_that_was_stopped_goes_on_to_the_same_end(tmp_path: Path) -> None:
    task = {**TASK, "steps": 5, "hashes": 2}
    whole = run("duplication", tmp_path / "whole", **task)
    stopped = tmp_path / "stopped"
    for _ in range(4):
        with pytest.raises(Stopped):
            run("duplication", stopped, **task, ctx={"deadline": Deadline(0.0)})
    outcome = run("duplication", stopped, **task)
    assert outcome.metrics == whole.metrics and outcome.curve == whole.curve


# Hashing against full attention


def collision(cosine: float, buckets: int, nodes: int = 120, top: float = 6.5) -> float:
    """b ∫∫_{u, v > 0} φ(u, v) P(|U| < u, |V| < v)^(b/2 − 1) du dv by Gauss and Legendre's rule."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    u, wu = (x + 1) * top / 2, w * top / 2
    rest = math.sqrt(1 - cosine**2)
    s, ws = u[:, None] * x, u[:, None] * w
    weight = stats.norm.pdf(s) * ws
    inside = np.stack(
        [
            (weight * np.diff([stats.norm.cdf((e - cosine * s) / rest) for e in (-v, v)], axis=0)[0]).sum(1)
            for v in u
        ],
        1,
    )
    quadratic = u[:, None] ** 2 - 2 * cosine * u[:, None] * u + u**2
    density = np.exp(-quadratic / (2 * rest**2)) / (2 * math.pi * rest)
    return float(buckets * (wu[:, None] * wu * density * inside ** (buckets // 2 - 1)).sum())


def test_the_chance_of_one_bucket_in_the_recipe_follows_from_the_integral() -> None:
    assert collision(0.9, 2) == pytest.approx(1 - math.acos(0.9) / math.pi, abs=1e-6)
    assert collision(0.0, 8) == pytest.approx(1 / 8, abs=1e-6)
    chance = {"buckets32.bucket": collision(0.9, 32), "buckets2.recall": 1 - math.acos(0.9) / math.pi}
    checked = 0
    for expected in load("reformer-lsh-convergence").expected:
        name, _, rounds = expected.metric.rpartition("_")
        if name in chance and expected.value is not None:
            assert expected.value == pytest.approx(1 - (1 - chance[name]) ** int(rounds), abs=2e-6)
            checked += 1
    assert checked == 8


def test_pairs_have_their_cosine() -> None:
    x = paired(10, 6, 0.7, torch.Generator().manual_seed(0))
    assert torch.allclose(x.norm(dim=1), torch.ones(20, dtype=torch.float64))
    assert torch.allclose((x[:10] * x[10:]).sum(1), torch.full((10,), 0.7, dtype=torch.float64))


def test_measured_recall_is_near_its_closed_form(tmp_path: Path) -> None:
    options = {"length": 128, "dim": 16, "buckets": 2, "chunk": 128, "hashes": [1, 2], "draws": 40}
    metrics = run("lsh_convergence", tmp_path, **options, cosine=0.5).metrics
    p = 1 - math.acos(0.5) / math.pi
    assert metrics["recall_1"] == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / (40 * 64)))
    assert metrics["recall_2"] == pytest.approx(1 - (1 - p) ** 2, abs=5 * math.sqrt(p * (1 - p) / (40 * 64)))
    assert metrics["bucket_1"] == metrics["recall_1"] and metrics["monotone"] == 1
    assert (tmp_path / "hashes.svg").exists()


# The Linformer


def test_live_counts_the_bytes_that_are_held() -> None:
    x = torch.zeros(100)
    with Live() as live:
        y = x + 1
        z = (y.view(10, 10) * 2).T
        assert live.now == live.most == 800
        del y
        assert live.now == 400
        z.add_(1)
        x.mul_(2)
        assert live.now == 400 and live.most == 800


@pytest.mark.parametrize("projected", [None, 4])
def test_a_pass_on_no_device_holds_as_much_as_a_real_one(projected: int | None) -> None:
    most = []
    for device in ("meta", "cpu"):
        with torch.device(device), torch.no_grad():
            layer, x = EncoderLayer(8, 16, 2, 32, projected), torch.zeros(1, 32, 8)
            with Live() as live:
                layer(x)
        most.append(live.most)
    assert most[0] == most[1]


@given(st.sampled_from([64, 256, 1024]), st.sampled_from([16, 32, 128]), st.sampled_from([1, 2, 4]))
@settings(max_examples=15, deadline=None)
def test_memory_is_that_of_the_formula(n: int, k: int, heads: int) -> None:
    """In floats: attention holds q, k, v and two matrices a head, the perceptron its input and twice its hidden."""
    d = 32
    options = LinformerEfficiency.Options(
        kind="linformer_efficiency", lengths=(n,), width=d, hidden=4 * d, heads=heads
    )
    stage = LinformerEfficiency(options)
    assert stage._bytes(n, None) == 4 * max(3 * n * d + 2 * heads * n * n, 9 * n * d)
    assert stage._bytes(n, k) == 4 * max(3 * n * d + 2 * k * d + 2 * heads * n * k, 9 * n * d)


def test_the_chance_of_an_error_is_that_of_drawn_projections() -> None:
    k, epsilon, cosine, n = 6, 0.4, 0.3, 200_000
    a, b = np.random.default_rng(0).normal(size=(2, n, k))
    error = (a * (cosine * a + math.sqrt(1 - cosine**2) * b)).mean(1) - cosine
    p = random_projection.failure(k, epsilon, cosine)
    assert (np.abs(error) > epsilon).mean() == pytest.approx(p, abs=5 * math.sqrt(p / n))
    one = torch.ones((), dtype=torch.float64)
    square = random_projection.expected_square(one, cosine * one, k).item()
    assert np.square(error).mean() == pytest.approx(square, rel=0.02)


def test_the_bound_and_the_shares_in_the_recipe_follow() -> None:
    for k in (1, 4, 16, 64, 256):
        for epsilon in (0.1, 0.5, 0.9):
            for cosine in (0.0, 0.6, -0.9):
                chance = random_projection.failure(k, epsilon, cosine, nodes=2000)
                assert chance <= random_projection.bound(k, epsilon)
    recipe = load("linformer-jl")
    expected = {e.metric: e.target for e in recipe.expected}
    for k in (4, 8, 16):
        chance = random_projection.failure(k, 0.5)
        assert expected[f"n512.failures_{k}"] == pytest.approx(chance, abs=2e-6)
    for stage, options in recipe.stages.items():
        k = max(options.ranks)
        assert k == math.ceil(5 * math.log(options.length) / (0.5**2 - 0.5**3))
        assert expected[f"{stage}.relative_error"] == pytest.approx(math.sqrt((options.length + 1) / k))
        assert expected[f"{stage}.columns_failed"] == pytest.approx(4 * options.length**-0.25, abs=1e-6)


def test_measured_errors_are_near_their_closed_form(tmp_path: Path) -> None:
    metrics = run("random_projection", tmp_path, length=64, columns=8, ranks=[8, 32], draws=300).metrics
    assert metrics["failures_8"] == pytest.approx(random_projection.failure(8, 0.5), abs=0.05)
    assert metrics["square_32"] == pytest.approx(0, abs=0.2)
    assert metrics["relative_error"] == pytest.approx(math.sqrt(65 / 32), rel=0.4)
    assert (tmp_path / "failures.svg").exists()


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_smoke_run_yields_every_metric_that_is_expected(recipe: str, tmp_path: Path) -> None:
    found: dict[str, float] = {}
    for name, options in load(recipe).stages.items():
        outcome = run(options.kind, tmp_path / name, smoke=True, options=options)
        found |= {f"{name}.{metric}": value for metric, value in outcome.metrics.items()}
    wanted = {m for e in load(recipe).expected for m in (e.metric, e.greater_than) if m}
    assert wanted <= set(found)
    assert all(math.isfinite(value) for value in found.values())
