"""Worker processes that evaluate jobs, in an order and with results that do not depend on their number."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from types import TracebackType
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from repro.errors import UserError
from repro.signals import leave_to_parent

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
        """The results in the order of the jobs. Raises what the function raises, and UserError when workers die.

        The first time they do, the jobs are done anew: a signal to all processes is no reason to lose a run.
        """
        if self.number < 2 or len(jobs) < 8:  # a process takes a second or more to start
            with threadpool_limits(1):
                return [function(job) for job in jobs]
        for _ in range(2):
            if self._pool is None:
                # A fork would copy the threads' locks of torch in an unknown state.
                self._pool = ProcessPoolExecutor(self.number, get_context("spawn"), _start)
            try:
                return list(self._pool.map(function, jobs))
            except BrokenProcessPool:
                self._pool = None
        raise UserError(
            "Worker processes have died twice, perhaps for want of memory; try fewer of them (REPRO_WORKERS). The "
            "same command goes on from the last checkpoint."
        )


def _start() -> None:
    """Leaves the signals of a terminal to the main process, whose end is the worker's; and a core to each process.

    SIGTERM stays what the pool ends its workers with.
    """
    leave_to_parent()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=[parent_process()], daemon=True).start()
    threadpool_limits(1)


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)
