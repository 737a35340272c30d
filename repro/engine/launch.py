"""Starting a command on several processes of this machine, and what launchers say in the environment."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO

from repro.errors import UserError
from repro.host import cores
from repro.signals import heeded

RANKS = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
NEEDED = (*RANKS, "MASTER_ADDR", "MASTER_PORT")
PARENT = "REPRO_LAUNCHER"  # the file descriptor on which a child sees that its launcher is gone
LOST = 75  # the exit status of a process that has lost another one; what ended that one is the reason
GONE = re.compile("(closed|reset) by peer|remote process exited|Broken pipe|Connection refused")
GRACE = 20.0  # seconds in which the other processes may end by themselves when one has failed


def launched() -> int | None:
    """The number of processes that a launcher (`accelerate launch`, `torchrun`, or `on_processes`) has started.

    None when this process was started by hand. Raises UserError for variables that only half describe a launch:
    the run would wait for processes that nobody has started.
    """
    given = {name: os.environ[name] for name in NEEDED if os.environ.get(name)}
    if not any(name in given for name in RANKS):
        return None
    if missing := [name for name in NEEDED if name not in given]:
        here = ", ".join(name for name in RANKS if name in given)
        raise UserError(
            f"The environment has {here} but not {', '.join(missing)}: unset {here}, or start with `--processes N`, "
            "`accelerate launch` or `torchrun`, which set them all."
        )
    numbers = {name: given[name] for name in (*RANKS, "MASTER_PORT")}
    if wrong := [f"{name}={value}" for name, value in numbers.items() if not value.isdecimal()]:
        raise UserError(f"The environment has {', '.join(wrong)}, which should be a number from 0.")
    rank, world = int(given["RANK"]), int(given["WORLD_SIZE"])
    if rank >= world:
        raise UserError(
            f"The environment has RANK={rank} and WORLD_SIZE={world}; ranks go from 0 to {world - 1}."
        )
    return world


def on_processes(count: int, arguments: Sequence[str]) -> int:
    """Runs `repro <arguments>` on `count` processes and returns the exit status, that of the first to fail.

    The first process talks. Signals that ask for a stop are passed on, so that all processes stop after the same
    step, with a checkpoint; should this process be killed, they stop as well. When one of them dies, the others are
    ended, and the same command resumes the run. The processor's cores are shared out.
    """
    from torch.distributed import TCPStore  # where the processes find each other; a free port of its own

    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    sees, alive = os.pipe()
    environment = {
        "OMP_NUM_THREADS": str(max(1, cores() // count)),
        **os.environ,
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        PARENT: str(sees),
    }
    with ExitStack() as stack:
        for end in (sees, alive):
            stack.callback(os.close, end)
        said = [stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(1, count)]
        children: list[subprocess.Popen[bytes]] = []
        told: list[int] = []

        def note(number: int, frame: object) -> None:
            again = number == signal.SIGINT and signal.SIGINT in told
            told.append(number)
            for child in children:
                child.send_signal(signal.SIGKILL if again else signal.SIGTERM)

        with heeded(note):
            for rank in range(count):
                own = {**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)}
                mute = {"stdout": subprocess.DEVNULL, "stderr": said[rank - 1]} if rank else {}
                command = [sys.executable, "-m", "repro", *arguments]
                children.append(subprocess.Popen(command, env=own, pass_fds=(sees,), **mute))  # type: ignore[call-overload]
            failed = _wait(children)
        return 130 if told else _status(failed, [child.returncode for child in children], said)


@contextmanager
def one_of(processes: int) -> Iterator[None]:
    """Around the work of one of several processes: that another one is gone is no fault of this one.

    Raises UserError for it or, under `on_processes`, which knows more and tells it, exits.
    """
    try:
        yield
    except RuntimeError as error:
        if processes == 1 or not GONE.search(str(error)):
            raise
        if PARENT in os.environ:
            sys.exit(LOST)
        raise UserError(
            "Another process of this run has ended; the same command goes on from the last checkpoint."
        ) from None


def stop_with_the_launcher() -> None:
    """In a process of `on_processes`: asks for a stop when the launcher is gone, however it went."""
    if PARENT not in os.environ:
        return

    def wait() -> None:
        os.read(int(os.environ[PARENT]), 1)  # comes back when the other end is closed
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def _wait(children: Sequence[subprocess.Popen[bytes]]) -> list[int]:
    """Waits for all. When one has failed, the others have GRACE to end too, as by an error that all meet.

    Returns the ranks of those that failed, in the order of their end.
    """
    failed: list[int] = []
    until = float("inf")
    while None in (states := [child.poll() for child in children]):
        failed += sorted(
            (r for r, s in enumerate(states) if s and r not in failed), key=lambda r: states[r] or 0
        )
        if failed:
            until = min(until, time.monotonic() + GRACE)
        if time.monotonic() > until:
            for child in children:
                child.kill()
        time.sleep(0.05)
    return failed + [r for r, s in enumerate(states) if s and r not in failed]


def _status(failed: Sequence[int], states: Sequence[int], said: Sequence[IO[str]]) -> int:
    """The exit status of all, after a line on what happened if the first process has not told it."""
    if not failed:
        return 0
    cause = next((rank for rank in failed if states[rank] != LOST), failed[0])
    killed = -states[cause]
    if killed > 0:
        reason = (
            f"ended by {signal.Signals(killed).name}{' (was there enough memory?)' if killed == 9 else ''}"
        )
    elif cause:
        said[cause - 1].seek(0)
        reason = (said[cause - 1].read().strip().splitlines() or [f"status {states[cause]}"])[-1]
    else:
        return states[0]  # it has told its story itself
    print(
        f"Process {cause} of {len(states)}: {reason}; the same command goes on from the last checkpoint.",
        file=sys.stderr,
    )
    return 2 if states[cause] == 2 else 1
