"""Batch plans: every sample once, groups kept whole where they can be, and an honest word where they cannot."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    ("batch", "processes", "micro", "text"),
    [
        (Batch(size=1024), 1, None, "batch 1024 = 1 process × 1024, BatchNorm over 1024 (exact)"),
        (Batch(size=1024), 8, None, "batch 1024 = 8 processes × 128, BatchNorm over 1024 (synchronised)"),
        (Batch(size=1024, bn_span=128), 2, 128, "batch 1024 = 2 processes × 4 × 128, BatchNorm over 128 (exact)"),
        (Batch(size=1024), 1, 256, "batch 1024 = 1 process × 4 × 256, BatchNorm over 1024 (only over 256)"),
        (Batch(size=10), 3, None, "batch 10 = 3 processes × 4 (shares [4, 3, 3]), BatchNorm over 10 (synchronised)"),
    ],
)  # fmt: skip
def test_a_plan_says_what_it_does(batch: Batch, processes: int, micro: int | None, text: str) -> None:
    assert batch_plan(batch, processes, micro).describe() == text


def test_a_span_that_cannot_be_honoured_is_a_deviation() -> None:
    (deviation,) = batch_plan(Batch(size=1024), 1, 256).deviations([1024])
    assert (deviation.what, deviation.paper) == ("BatchNorm span", "1024 samples")
    assert "256" in deviation.here


def test_more_processes_than_samples_are_refused() -> None:
    with pytest.raises(UserError, match="8 samples cannot be shared by 9 processes"):
        BatchPlan(8, 8, processes=9).check(8)
    BatchPlan(8, 8, processes=8).check(8)
