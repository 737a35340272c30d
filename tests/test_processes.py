"""Signals, and several processes: nobody is left behind, no checkpoint is lost, mistakes are one line."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from repro.engine import launch
from repro.engine.launch import launched, on_processes
from repro.errors import UserError
from repro.signals import STOPS, heeded
from tests.conftest import ROOT, Write, invoke, repro
from tests.test_recipes import GOOD

ENDLESS = GOOD.replace("epochs: 1", "epochs: 9000")
FULL = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "2900"}


@pytest.fixture(autouse=True)
def _by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FULL:
        monkeypatch.delenv(name, raising=False)


def started(project: Path, *arguments: str) -> subprocess.Popen[str]:
    """`repro run r` in a group of its own, once training is under way."""
    command = [sys.executable, "-m", "repro", "run", "r", "--checkpoint-every", "1h", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, cwd=project, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # also where these tests ignore it
    )  # fmt: skip
    for _ in range(1200):
        if list(project.glob(".repro/runs/r/*/log.jsonl")):
            return process
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.kill()
    raise AssertionError("no step was made")


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    main = psutil.Process(process.pid)
    return [main, *main.children(recursive=True)]


def checkpoints(project: Path) -> list[Path]:
    return list(project.glob(".repro/runs/r/*/pretrain/checkpoint.safetensors"))


@pytest.mark.parametrize(
    ("number", "group", "processes"),
    [
        (signal.SIGHUP, False, 1),
        *(
            pytest.param(number, group, processes, marks=pytest.mark.long)
            for number in STOPS
            for group in (False, True)
            for processes in (1, 2)
            if (number, group, processes) != (signal.SIGHUP, False, 1)
        ),
    ],
)
def test_a_signal_leaves_a_checkpoint_and_nobody(
    write_recipe: Write, project: Path, number: int, group: bool, processes: int
) -> None:
    write_recipe("r", ENDLESS)
    process = started(project, "--processes", str(processes))
    all_ = family(process)
    (os.killpg if group else os.kill)(process.pid, number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130 and "The same command goes on from there" in out, out + err
    assert len(all_) == 1 + processes * (processes > 1)
    assert not psutil.wait_procs(all_, timeout=5)[1] and checkpoints(project)
    assert "Traceback" not in err


@pytest.mark.long
def test_a_launcher_that_is_killed_leaves_a_checkpoint_and_nobody(write_recipe: Write, project: Path) -> None:
    write_recipe("r", ENDLESS)
    process = started(project, "--processes", "2")
    all_ = family(process)
    process.kill()
    assert not psutil.wait_procs(all_, timeout=60)[1] and checkpoints(project)


@pytest.mark.long
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_is_killed_ends_the_others_with_one_line(
    write_recipe: Write, project: Path, rank: int
) -> None:
    write_recipe("r", ENDLESS)
    process = started(project, "--processes", "2")
    all_ = family(process)
    by_rank = {p.environ()["RANK"]: p for p in all_[1:]}
    by_rank[str(rank)].kill()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1 and not psutil.wait_procs(all_, timeout=5)[1]
    assert f"Process {rank} of 2: ended by SIGKILL" in err.splitlines()[-1] and "Traceback" not in err


def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        noted: list[int] = []
        with heeded(lambda number, frame: noted.append(number)):
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGUSR1)
        assert noted == [signal.SIGUSR1] and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


# The environment of launchers


def test_a_launchers_variables_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    assert launched() is None
    for name, value in FULL.items():
        monkeypatch.setenv(name, value)
    assert launched() == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"WORLD_SIZE": "2"}, "has WORLD_SIZE but not RANK, LOCAL_RANK, MASTER_ADDR, MASTER_PORT"),
        ({"RANK": "0"}, "has RANK but not WORLD_SIZE"),
        ({**FULL, "MASTER_PORT": ""}, "but not MASTER_PORT"),
        ({**FULL, "RANK": "one"}, "RANK=one, which should be a number"),
        ({**FULL, "RANK": "2"}, "ranks go from 0 to 1"),
    ],
)
def test_half_a_launch_is_refused(monkeypatch: pytest.MonkeyPatch, given: dict[str, str], words: str) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=words):
        launched()


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (("supcon-digits",), {"RANK": "0"}, "has RANK but not"),
        (("supcon-digits", "--processes", "3"), FULL, "already started 2 here"),
        (("supcon-digits", "--processes", "300"), {}, "256 samples cannot be shared by 300 processes"),
        (("supcon-digits", "--plan", "--processes", "300"), {}, "cannot be shared by 300 processes"),
        (("supcon-simplex-toy", "--processes", "2"), {}, "its work cannot be divided"),
        (
            ("supcon-digits", "--device", "cuda", "--processes", "2"),
            {"CUDA_VISIBLE_DEVICES": ""},
            "no CUDA device",
        ),
        (
            ("supcon-digits", "--processes", "2", "-o", "stages.pretrain.split=tests"),
            {},
            "did you mean `test`",
        ),
    ],
)
def test_mistakes_are_told_before_anything_is_started(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], environment: dict[str, str], words: str
) -> None:
    monkeypatch.setattr(launch, "on_processes", None)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = invoke("run", *arguments)
    assert isinstance(done.exception, UserError) and re.search(words, str(done.exception))
    assert "\n" not in str(done.exception) and not done.stdout


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("--memory", ["nan", "inf", "-1", "0", "x"]),
        ("--budget", ["nan", "-1", "0", "inf", ""]),
        ("--checkpoint-every", ["nan", "-1s", "0"]),
        ("--seeds", ["-1", "nan", "0,x", "1.5"]),
        ("--seed", ["-1", "inf"]),
        ("--processes", ["0", "-2", "nan"]),
        ("--micro-batch", ["0", "nan"]),
    ],
)
def test_every_number_is_checked_also_where_it_is_not_used(option: str, values: list[str]) -> None:
    for value in values:
        done = invoke("run", "supcon-digits", "--plan", option, value)
        assert done.exit_code == 2 or isinstance(done.exception, UserError), value


@pytest.mark.long
def test_a_mistake_that_shows_only_in_the_run_is_one_line(write_recipe: Write, project: Path) -> None:
    """A damaged checkpoint: all processes meet it, and one tells."""
    write_recipe("r", ENDLESS)
    process = started(project)
    process.terminate()
    process.communicate(timeout=60)
    (path,) = checkpoints(project)
    path.write_bytes(b"garbage")
    done = repro("run", "r", "--processes", "2", cwd=project)
    told = [line for line in done.stderr.splitlines() if "sample/s" not in line]
    assert done.returncode == 2 and len(told) == 1 and "was damaged or edited" in told[0], done.stderr


# The launcher itself, with a child that needs no torch


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("pass", 0, ""),
        ("sys.exit('bad luck' if rank else 75)", 1, "Process 1 of 2: bad luck"),
        ("rank or sys.exit(2); time.sleep(60)", 2, ""),
        ("rank and os.kill(os.getpid(), 9); time.sleep(60)", 1, "Process 1 of 2: ended by SIGKILL"),
    ],
)
def test_the_first_to_fail_gives_the_status_and_the_others_end(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    code: str,
    status: int,
    words: str,
) -> None:
    (tmp_path / "repro").mkdir()
    (tmp_path / "repro" / "__init__.py").touch()
    (tmp_path / "repro" / "__main__.py").write_text(
        f"import os, sys, time\nrank = int(os.environ['RANK'])\n{code}\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(launch, "GRACE", 0.5)
    began = time.monotonic()
    assert on_processes(2, []) == status and time.monotonic() - began < 30
    assert words in capfd.readouterr().err


@pytest.mark.long
def test_a_terminal_that_goes_leaves_a_checkpoint(write_recipe: Write, project: Path) -> None:
    """Writing to it fails from then on, which must not come before the checkpoint."""
    write_recipe("r", ENDLESS)
    pid, terminal = pty.fork()
    if not pid:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "repro", "run", "r", "--checkpoint-every", "1h"]
        os.execve(sys.executable, command, environment)
    os.set_blocking(terminal, False)
    for _ in range(1200):
        with suppress(BlockingIOError):
            os.read(terminal, 1 << 16)
        if list(project.glob(".repro/runs/r/*/log.jsonl")):
            break
        time.sleep(0.1)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130 and checkpoints(project)
