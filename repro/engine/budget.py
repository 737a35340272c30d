"""Stopping in time: a budget of wall-clock time, and signals that ask for a clean stop."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from repro.errors import UserError
from repro.signals import heeded

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Stopped(Exception):
    """The run stopped before its end, on purpose, and can be resumed by the same command."""


def seconds(text: str) -> float:
    """`90`, `25m`, `1h30m` -> seconds, more than 0. Raises UserError for anything else."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not parts or "".join(n + u for n, u in parts) != text.strip():
        raise UserError(f"`{text}` is not a duration; write for example 90s, 25m or 1h30m.")
    if not (total := sum(float(number) * _UNITS[unit or "s"] for number, unit in parts)):
        raise UserError(f"`{text}` is no time at all; write for example 90s, 25m or 1h30m.")
    return total


class Deadline:
    """Tells a running stage when to stop: the budget is spent, or a signal arrived."""

    def __init__(self, budget: float | None = None):
        self.end = time.monotonic() + budget if budget is not None else float("inf")
        self.signal: int | None = None

    def check(self, margin: float = 0.0) -> str | None:
        """Why to stop now, or None; `margin` are the seconds that stopping itself will take."""
        if self.signal is not None:
            return f"{signal.Signals(self.signal).name} received"
        return "the time budget is spent" if time.monotonic() + margin >= self.end else None

    @contextmanager
    def watching_signals(self) -> Iterator[None]:
        """Within, the first of the signals that ask for a stop is noted, and a Ctrl-C after it stops at once."""

        def note(number: int, frame: object) -> None:
            self.signal = self.signal or number
            if signal.getsignal(signal.SIGINT) is note:
                signal.signal(signal.SIGINT, signal.default_int_handler)

        with heeded(note):
            yield
