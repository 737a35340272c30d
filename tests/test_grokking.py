"""Power et al. 2022: the transformer against plain loops, the tables, the training steps and the metrics."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from repro.engine.budget import Deadline, Stopped
from repro.engine.stage import Outcome
from repro.experiments.generalisation.grokking import Grokking, first, stride, table
from repro.keys import key, permutation
from repro.networks.transformer import Block, Transformer, sinusoids
from tests.test_engine import context


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def run(ctx: Any, **changes: Any) -> Outcome:
    ctx.folder.mkdir(parents=True, exist_ok=True)
    small = {"operation": "addition", "modulus": 5, "width": 16, "steps": 12, "every": 4}
    return Grokking(Grokking.Options.model_validate({"kind": "grokking", **small, **changes})).run(ctx)


def on_cpu(folder: Path, **changes: Any) -> Any:
    return context(folder, device=torch.device("cpu"), **changes)


def block_in_loops(block: Block, x: Tensor) -> Tensor:
    """One sequence x (L, d), token by token and head by head."""
    length, width = x.shape
    size = width // block.heads
    q, k, v = block.query(x), block.key(x), block.value(x)
    rows = []
    for i in range(length):
        heads = []
        for h in range(block.heads):
            part = slice(h * size, (h + 1) * size)
            weights = [math.exp(float(q[i, part] @ k[j, part]) / math.sqrt(size)) for j in range(i + 1)]
            heads.append(sum(w * v[j, part] for j, w in enumerate(weights)) / sum(weights))
        y = block.norms[0](x[i] + block.out(torch.cat(heads)))
        rows.append(block.norms[1](y + block.perceptron(y)))
    return torch.stack(rows)


@torch.no_grad()
def test_a_block_is_causal_attention_and_a_perceptron_with_norms_after_them() -> None:
    block, x = Block(12, 3).double(), torch.randn(2, 5, 12, dtype=torch.float64)
    slow = torch.stack([block_in_loops(block, one) for one in x])
    assert torch.allclose(block(x), slow, atol=1e-12)
    assert torch.allclose(block(x, last=True), slow[:, -1:], atol=1e-12)


def test_positions_are_those_of_section_3_5() -> None:
    table = sinusoids(7, 6)
    for p in range(7):
        for i in range(3):
            angle = p / 10000 ** (2 * i / 6)
            assert table[p, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[p, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


def test_the_paper_s_network_has_about_400_000_weights_beside_the_embeddings() -> None:
    model = Transformer(99, 4, 128, layers=2, heads=4)
    inner = sum(p.numel() for p in model.blocks.parameters())
    assert inner == 2 * (12 * 128**2 + 4 * 128)
    assert abs(inner / 4e5 - 1) < 0.02


@pytest.mark.parametrize("operation", ["addition", "subtraction", "division"])
def test_the_table_has_every_equation_once_and_all_are_right(operation: str) -> None:
    p = 7
    tokens, answers = table(operation, p)
    a, circle, b, equals = tokens.T
    assert (circle == p).all() and (equals == p + 1).all()
    undone = {"addition": answers - b, "subtraction": answers + b, "division": answers * b}[operation]
    assert torch.equal(undone % p, a)
    divisors = p - 1 if operation == "division" else p
    assert len({(int(x), int(y)) for x, y in zip(a, b, strict=True)}) == len(a) == p * divisors
    assert b.min() == p - divisors and answers.max() == p - 1


def test_the_steps_are_those_of_adamw_on_a_random_half(tmp_path: Path) -> None:
    """Six steps in a plain loop: split, order of the batches, warm-up, decay, and the loss of the answer alone."""
    outcome = run(on_cpu(tmp_path), steps=6, every=1, warmup=4)
    tokens, answers = table("addition", 5)
    train = permutation(key(3, "stage", "split"), 25)[:12]
    torch.manual_seed(key(3, "stage", "weights"))
    model = Transformer(7, 4, 16, layers=2, heads=4)
    adam = torch.optim.AdamW(model.parameters(), lr=1.0, betas=(0.9, 0.98), weight_decay=1.0)
    for step in range(6):
        order = permutation(
            key(key(3, "stage"), "order", step // 2), 12
        )  # 12 equations, in batches of half of them
        rows = train[order[:6] if step % 2 == 0 else order[6:]]
        loss = F.cross_entropy(model(tokens[rows]), answers[rows])
        adam.param_groups[0]["lr"] = 1e-3 * [0.25, 0.5, 0.75, 1, 1, 1][step]
        adam.zero_grad()
        loss.backward()
        adam.step()
        right = (model(tokens[train]).argmax(1) == answers[train]).float().mean().item()
        assert outcome.curve[step]["loss"] == pytest.approx(loss.item(), rel=1e-5)
        assert outcome.curve[step]["train"] == pytest.approx(100 * right)


def test_a_batch_is_half_of_a_small_training_set(tmp_path: Path) -> None:
    metrics = run(on_cpu(tmp_path / "half"), steps=2, batch=6).metrics
    assert metrics == run(on_cpu(tmp_path / "more"), steps=2, batch=512).metrics


def test_training_equations_are_learnt_and_the_picture_is_there(tmp_path: Path) -> None:
    ctx = on_cpu(tmp_path)
    options = {"name": "adamw", "lr": 3e-3, "weight_decay": 0.0}
    metrics = run(ctx, modulus=3, width=32, share=0.7, steps=100, every=10, optimizer=options).metrics
    assert metrics["train"] == 100 and metrics["train_steps"] <= 100
    assert metrics["delay"] == metrics["val_steps"] / metrics["train_steps"]
    assert "<svg" in (ctx.folder / "accuracy.svg").read_text()


def test_a_run_that_was_stopped_goes_on_to_the_same_end(tmp_path: Path) -> None:
    whole = run(on_cpu(tmp_path / "whole"))
    ctx = on_cpu(tmp_path / "stopped", deadline=Deadline(0.0))
    for _ in range(11):
        with pytest.raises(Stopped):
            run(ctx)
    outcome = run(ctx)
    assert outcome.metrics == whole.metrics and outcome.curve == whole.curve


def test_the_first_step_at_the_threshold() -> None:
    curve = [{"step": s, "val": v} for s, v in [(10, 50.0), (20, 99.0), (30, 98.0), (40, 100.0)]]
    assert first(curve, "val", 99.0, 40) == 20
    assert first(curve[:1], "val", 99.0, 40) == 40


def test_a_million_steps_are_evaluated_a_few_hundred_times() -> None:
    steps = [s for s in range(1, 1_000_001) if s % stride(s, 50) == 0]
    assert steps[:3] == [50, 100, 150]
    assert {980, 990} & set(steps) == set() and {1000, 1100, 9900, 10000, 11000, 1000000} <= set(steps)
    assert 19 + 90 * 3 <= len(steps) <= 300
