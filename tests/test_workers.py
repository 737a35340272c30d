"""The worker processes of evolution strategies: they may die once, and end with the main process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from repro.errors import UserError
from repro.experiments.energy_or_hebbian.evolution.workers import Workers

ROOT = Path(__file__).parents[1]  # and not from conftest, which would load torch in every worker


def helpers() -> list[psutil.Process]:
    """The worker processes of this one."""
    return [child for child in psutil.Process().children() if any("spawn_main" in w for w in child.cmdline())]


def doubled(job: int) -> int:
    return 2 * job


def dies_once(job: tuple[int, str]) -> int:
    """Ends its process at job 3, unless the file is there."""
    number, file = job
    if number == 3 and not Path(file).exists():
        Path(file).touch()
        os.kill(os.getpid(), signal.SIGTERM)
    return 2 * number


def dies(job: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_workers_may_die_once_and_signals_of_a_terminal_do_not_matter(tmp_path: Path) -> None:
    jobs = [(number, str(tmp_path / "died")) for number in range(20)]
    with Workers(2) as workers:
        assert workers.map(dies_once, jobs) == [2 * number for number in range(20)]
        for child in helpers():
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
                child.send_signal(number)
        assert workers.map(doubled, range(20)) == [2 * number for number in range(20)]
        with pytest.raises(UserError, match="died twice"):
            workers.map(dies, range(20))
    assert (tmp_path / "died").exists()


def test_workers_end_with_the_main_process() -> None:
    code = (
        "from tests.test_workers import *\n"
        "with Workers(2) as workers:\n"
        "    workers.map(doubled, range(20))\n"
        "    print(*(c.pid for c in helpers()), flush=True)\n"
        "    signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as main:
        assert main.stdout
        workers = [psutil.Process(int(pid)) for pid in main.stdout.readline().split()]
        main.kill()
    assert len(workers) == 2 and not psutil.wait_procs(workers, timeout=20)[1]
