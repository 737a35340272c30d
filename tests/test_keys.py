"""Keyed randomness: known answers, uniformity and independence."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from repro import keys

GOLDEN, MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1
KEYS = st.integers(0, (1 << 63) - 1)
INDICES = st.integers(0, 1 << 40)


def mixed(x: int) -> int:
    """SplitMix64's finaliser (Steele, Lea and Flood 2014, Fig. 15) on Python's integers."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def test_splitmix64_known_answers():
    """The first outputs of the published generator seeded with 0."""
    state = torch.tensor([(i * GOLDEN + (1 << 63)) % (1 << 64) - (1 << 63) for i in (1, 2, 3)])
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert [int(x) & MASK for x in keys.mixed(state)] == expected


@given(KEYS, INDICES, st.integers(1, 5))
def test_uniform_is_its_formula_in_64_bit_arithmetic(key, index, draws):
    lane = mixed((mixed((index * GOLDEN + key) & MASK) ^ key) & MASK)
    expected = [(mixed((lane + j * GOLDEN) & MASK) >> 40) / 2**24 for j in range(1, draws + 1)]
    assert keys.uniform(key, torch.tensor([index]), draws)[0].tolist() == expected


def test_keys_tell_purposes_apart():
    words = [(1, "crop"), ("1", "crop"), (1, "cro", "p"), ("crop", 1), (1,), (1, "crop", 0), (10, "crop")]
    made = [keys.key(*w) for w in words]
    assert len(set(made)) == len(words)
    assert all(0 <= k < 1 << 63 for k in made)
    assert keys.key(1, "crop") == made[0]


def draws_of(kind: str) -> np.ndarray:
    """Thousands of numbers that differ only in the sample, only in the draw, or only in the key."""
    if kind == "sample":
        return keys.uniform(keys.key(0), torch.arange(40_000), 1)[:, 0].numpy()
    if kind == "draw":
        return keys.uniform(keys.key(0), torch.tensor([5]), 40_000)[0].numpy()
    if kind == "epoch":
        made = [keys.uniform(keys.key(0, "views", epoch), torch.arange(8), 1) for epoch in range(5000)]
        return torch.cat(made)[:, 0].numpy()
    return torch.cat([keys.uniform(number, torch.tensor([5]), 1) for number in range(8000)])[:, 0].numpy()


@pytest.mark.parametrize("kind", ["sample", "draw", "epoch", "adjacent keys"])
def test_uniform_and_uncorrelated(kind):
    u = draws_of(kind)
    assert u.min() >= 0
    assert u.max() < 1
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    assert stats.chisquare(np.histogram(u, 200, (0, 1))[0]).pvalue > 1e-3
    fine = np.floor(u * 2**24).astype(int) % 256  # the low bits of the 24 too
    assert stats.chisquare(np.bincount(fine, minlength=256)).pvalue > 1e-3
    for lag in (1, 2, 7, 8, 64):
        assert abs(np.corrcoef(u[:-lag], u[lag:])[0, 1]) < 4 / np.sqrt(len(u))
        pairs = np.histogram2d(u[:-lag], u[lag:], 10, ((0, 1), (0, 1)))[0]
        assert stats.chisquare(pairs.ravel()).pvalue > 1e-3


def test_neighbouring_keys_and_draws_are_independent_for_the_same_samples():
    index = torch.arange(20_000)
    columns = [keys.uniform(k, index, 3) for k in (0, 1, 2, keys.key(0, 0, "crop"), keys.key(0, 1, "crop"))]
    correlation = np.corrcoef(torch.cat(columns, 1).numpy().T)
    assert np.abs(correlation - np.eye(len(correlation))).max() < 4.5 / np.sqrt(len(index))


@given(KEYS, st.lists(INDICES, min_size=1, max_size=20), st.data())
def test_a_draw_depends_on_key_and_index_alone(key, index, data):
    u = keys.uniform(key, torch.tensor(index), 4)
    at = data.draw(st.integers(0, len(index) - 1))
    assert torch.equal(keys.uniform(key, torch.tensor([index[at]]), 4)[0], u[at])
    assert torch.equal(keys.uniform(key, torch.tensor(index), 2), u[:, :2])


@given(KEYS, st.integers(0, 300))
def test_permutation_holds_every_number_once(key, n):
    assert sorted(keys.permutation(key, n).tolist()) == list(range(n))


def test_permutations_are_equally_likely():
    kinds = list(permutations(range(4)))
    counts = dict.fromkeys(kinds, 0)
    for epoch in range(6000):
        counts[tuple(keys.permutation(keys.key(3, "order", epoch), 4).tolist())] += 1
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_generator_repeats():
    first, again, other = (torch.randn(3, generator=keys.generator(keys.key(k))) for k in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
