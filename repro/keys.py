"""Keyed randomness: every draw is a hash of what it is for, so it does not depend on who draws when.

A key names a purpose (`key(seed, "views", epoch)`); `uniform(key, index, draws)` gives the numbers of each
sample. They are the same on any device, in any order, in any division of the batch, after any restart.

The mixing function is the finaliser of SplitMix64 (Steele, Lea and Flood 2014, Fig. 15) over 64-bit lanes.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15


def key(*words: int | str) -> int:
    """A 63-bit number that names a purpose; distinct word lists give unrelated keys."""
    digest = hashlib.blake2b(repr(words).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def mixed(x: Tensor) -> Tensor:
    """SplitMix64's finaliser on int64 lanes (arithmetic modulo 2^64)."""
    x = (x ^ _shifted(x, 30)) * _signed(0xBF58476D1CE4E5B9)
    x = (x ^ _shifted(x, 27)) * _signed(0x94D049BB133111EB)
    return x ^ _shifted(x, 31)


def hashed(key: int | Tensor, index: Tensor) -> Tensor:
    """index (…) int64 -> (…) int64, uniform over all 64-bit values."""
    return mixed(mixed(index * _signed(_GOLDEN) + key) ^ key)


def uniform(key: int | Tensor, index: Tensor, draws: int) -> Tensor:
    """index (n,) int64 -> (n, draws) float32 in [0, 1), multiples of 2^-24."""
    lanes = hashed(key, index)[:, None] + torch.arange(1, draws + 1, device=index.device) * _signed(_GOLDEN)
    return _shifted(mixed(lanes), 40).to(torch.float32) * 2.0**-24


def permutation(key: int, n: int) -> Tensor:
    """A permutation (n,) int64 of 0..n-1, on the CPU."""
    return torch.argsort(hashed(key, torch.arange(n)), stable=True)


def generator(key: int) -> torch.Generator:
    """A CPU generator for draws that need torch's own samplers (weight initialisation, noise)."""
    return torch.Generator().manual_seed(key)


def _shifted(x: Tensor, bits: int) -> Tensor:
    """Logical right shift (torch's is arithmetic)."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _signed(x: int) -> int:
    return x - (1 << 64) if x >= 1 << 63 else x
