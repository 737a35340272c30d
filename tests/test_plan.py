"""Batch plans: every sample once, groups kept whole where they can be, and an honest word where they cannot."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.engine.plan import BatchPlan, batch_plan
from repro.errors import UserError
from repro.options import Batch

sizes = st.integers(1, 200)


@given(sizes, sizes, st.integers(1, 9), st.none() | st.integers(1, 64), st.integers(1, 200))
def test_a_plan_covers_every_sample_once(
    size: int, span: int, processes: int, micro: int | None, rest: int
) -> None:
    processes = min(processes, size)
    plan = BatchPlan(size, min(span, size), processes, micro)
    for samples in {size, max(processes, min(rest, size))}:
        chunks = [c for rank in range(processes) for c in plan.chunks(samples, rank)]
        covered = [i for c in chunks for i in range(c.start, c.stop)]
        assert covered == list(range(samples))
        assert all(sum(c.groups) == c.stop - c.start for c in chunks)
        if plan.cached:
            assert all(c.stop - c.start <= (micro or 0) for c in chunks)


@given(sizes, sizes, st.integers(1, 9), st.none() | st.integers(1, 64), sizes)
def test_exact_means_the_groups_of_one_process(
    size: int, span: int, processes: int, micro: int | None, rest: int
) -> None:
    span, processes = min(span, size), min(processes, size)
    plan = BatchPlan(size, span, processes, micro)
    for samples in (size, max(processes, min(rest, size))):
        groups = [g for rank in range(processes) for c in plan.chunks(samples, rank) for g in c.groups]
        single = [g for c in BatchPlan(size, span).chunks(samples, 0) for g in c.groups]
        if plan.synchronised(samples):
            assert plan.exact(samples) and not plan.cached
        else:
            assert plan.exact(samples) == (groups == single) == (plan.deviations([samples]) == [])


@given(sizes, sizes, st.integers(1, 9), st.integers(1, 64), sizes)
def test_chunks_are_even(size: int, span: int, processes: int, micro: int, rest: int) -> None:
    """As few as the micro-batch allows, and no group of one is left over by cutting."""
    span, processes = min(span, size), min(processes, size)
    plan = BatchPlan(size, span, processes, micro)
    for samples in (size, max(processes, min(rest, size))) if plan.cached else ():
        for rank in range(processes):
            first, last = plan.bounds(samples, rank)
            ends = sorted({first, last, *(e for e in range(0, samples, span) if first < e < last)})
            groups = [b - a for a, b in pairwise(ends)]
            chunks = plan.chunks(samples, rank)
            if micro < span:  # each group is cut by itself
                assert len(chunks) == sum(math.ceil(g / micro) for g in groups)
                assert all(len(c.groups) == 1 for c in chunks)
            else:
                assert len(chunks) == math.ceil(len(groups) / (micro // span))
                assert max(len(c.groups) for c in chunks) - min(len(c.groups) for c in chunks) <= 1
            if micro > 2 and 1 not in groups:
                assert 1 not in [g for c in chunks for g in c.groups]


@given(sizes, sizes, st.integers(1, 9), st.none() | st.integers(1, 64), sizes)
def test_a_group_of_one_is_told_before_the_run(
    size: int, span: int, processes: int, micro: int | None, rest: int
) -> None:
    span, processes = min(span, size), min(processes, size)
    plan = BatchPlan(size, span, processes, micro)
    samples = max(processes, min(rest, size))
    if plan.synchronised(samples):
        lonely = samples % span == 1 or span == 1
    else:
        lonely = 1 in {g for r in range(processes) for c in plan.chunks(samples, r) for g in c.groups}
    plan.check(samples)  # without BatchNorm, or with several rows a sample, it is no matter
    if not lonely:
        plan.check(samples, normalised=True)
        return
    with pytest.raises(UserError, match=rf"single sample: a batch of {samples} .*{span}.*drop_last"):
        plan.check(samples, normalised=True)


@pytest.mark.parametrize(
    ("batch", "processes", "micro", "text"),
    [
        (Batch(size=1024), 1, None, "batch 1024 = 1 process × 1024, BatchNorm over 1024 (exact)"),
        (Batch(size=1024), 8, None, "batch 1024 = 8 processes × 128, BatchNorm over 1024 (synchronised)"),
        (Batch(size=1024, bn_span=128), 2, 128, "batch 1024 = 2 processes × 4 × 128, BatchNorm over 128 (exact)"),
        (Batch(size=1024), 1, 256, "batch 1024 = 1 process × 4 × 256, BatchNorm over 1024 (only over 256)"),
        (Batch(size=256), 1, 85, "batch 256 = 1 process × 4 × 64, BatchNorm over 256 (only over 64)"),
        (Batch(size=256), 1, 100, "batch 256 = 1 process × 3 × 85 to 86, BatchNorm over 256 (only over 85 to 86)"),
        (Batch(size=256, bn_span=32), 1, 85, "batch 256 = 1 process × 4 × 64, BatchNorm over 32 (exact)"),
        (Batch(size=10), 3, None, "batch 10 = 3 processes × 4 (shares [4, 3, 3]), BatchNorm over 10 (synchronised)"),
    ],
)  # fmt: skip
def test_a_plan_says_what_it_does(batch: Batch, processes: int, micro: int | None, text: str) -> None:
    assert batch_plan(batch, processes, micro).describe() == text


def test_a_span_that_cannot_be_honoured_is_a_deviation() -> None:
    (deviation,) = batch_plan(Batch(size=1024), 1, 256).deviations([1024])
    assert (deviation.what, deviation.paper) == ("BatchNorm span", "1024 samples")
    assert deviation.here == "256 samples"
    (deviation,) = batch_plan(Batch(size=256), 1, 100).deviations([256, 130])
    assert deviation.here == "65 to 86 samples"


def test_more_processes_than_samples_are_refused() -> None:
    with pytest.raises(UserError, match="8 samples cannot be shared by 9 processes"):
        BatchPlan(8, 8, processes=9).check(8)
    BatchPlan(8, 8, processes=8).check(8)
