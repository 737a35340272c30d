"""Worker processes that evaluate jobs, in an order and with results that do not depend on their number."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from types import TracebackType
from typing import TypeVar

from threadpoolctl import threadpool_limits

Job = TypeVar("Job")
Result = TypeVar("Result")


class Workers:
    """`number` processes at most, started when there is enough to do; with 0 or 1 this process works itself.

        with Workers(default_workers()) as workers:
            results = workers.map(function, jobs)

    The function and the jobs must be picklable, a result must depend on its job alone.
    """

    def __init__(self, number: int):
        self.number = number
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def map(self, function: Callable[[Job], Result], jobs: Sequence[Job]) -> list[Result]:
        """The results in the order of the jobs. Raises what the function raises."""
        if self.number < 2 or len(jobs) < 8:  # a process takes a second or more to start
            with threadpool_limits(1):
                return [function(job) for job in jobs]
        if self._pool is None:
            # A fork would copy the threads' locks of torch in an unknown state.
            self._pool = ProcessPoolExecutor(self.number, get_context("spawn"), _start)
        return list(self._pool.map(function, jobs))


def _start() -> None:
    """Leaves Ctrl-C to the main process, and a core to each process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(1)
