"""Whether a run by the present code gives again what an earlier run of the same recipe and seed gave."""

from __future__ import annotations

from repro.results.record import Confirmation, Record

ROUNDING = 1e-5  # of a metric's size: other processors and libraries add in another order
RENAMED = {"spread": "embedding_std"}  # what training measures, by its older name
SMALLEST = 1e-6  # of a metric that counts as a size; what is below it is rounding itself


def difference(one: Record, other: Record) -> float:
    """The largest difference of a metric, relative to its size; infinite when they have not the same metrics."""
    first, second = metrics_of(one), metrics_of(other)
    if first.keys() != second.keys():
        return float("inf")
    pairs = [(first[name], second[name]) for name in first]
    return max((abs(a - b) / max(abs(a), abs(b), SMALLEST) for a, b in pairs), default=0.0)


def metrics_of(record: Record) -> dict[str, float]:
    """The record's metrics by their present names."""
    trained = {name for name, stage in record.resolved.get("stages", {}).items() if stage["kind"] == "train"}
    found = {}
    for name, value in record.metrics.items():
        stage, _, metric = name.rpartition(".")
        found[f"{stage}.{RENAMED.get(metric, metric)}" if stage in trained else name] = value
    return found


def confirming(record: Record, earlier: Record) -> Record | None:
    """The record with what it confirms, the earlier run and all that confirmed; None when they do not agree."""
    gap = difference(record, earlier)
    if gap > ROUNDING:
        return None
    own = Confirmation(code=earlier.code_digest, finished=earlier.finished, difference=gap)
    return record.model_copy(update={"confirms": [own, *earlier.confirms]})
