"""Whether a run by the present code gives again what an earlier run of the same recipe and seed gave."""

from __future__ import annotations

from repro.results.record import Confirmation, Record

ROUNDING = 1e-5  # of a metric's size: other processors and libraries add in another order
SMALLEST = 1e-6  # of a metric that counts as a size; what is below it is rounding itself


def difference(one: Record, other: Record) -> float:
    """The largest difference of a metric, relative to its size; infinite when they have not the same metrics."""
    if one.metrics.keys() != other.metrics.keys():
        return float("inf")
    pairs = [(one.metrics[name], other.metrics[name]) for name in one.metrics]
    return max((abs(a - b) / max(abs(a), abs(b), SMALLEST) for a, b in pairs), default=0.0)


def confirming(record: Record, earlier: Record) -> Record | None:
    """The record with what it confirms, the earlier run and all that confirmed; None when they do not agree."""
    gap = difference(record, earlier)
    if gap > ROUNDING:
        return None
    own = Confirmation(code=earlier.code_digest, finished=earlier.finished, difference=gap)
    return record.model_copy(update={"confirms": [own, *earlier.confirms]})
