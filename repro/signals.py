"""The signals that ask a run to stop: the main process heeds them, its helpers leave them to it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# Ctrl-C; a scheduler's or system's request; the terminal has gone; a scheduler's warning. Windows has the first two.
STOPS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name)
)


@contextmanager
def heeded(note: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    """Within, `note(number, frame)` is called when one of STOPS arrives. What `nohup` had ignored stays ignored."""
    before = {
        number: signal.signal(number, note)
        for number in STOPS
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def held() -> Iterator[None]:
    """Within, STOPS wait, also for the processes that are started: until they have called `leave_to_parent`."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_to_parent(*_: Any) -> None:
    """For a helper process: signals to the whole group of processes are the parent's, which ends its helpers."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
