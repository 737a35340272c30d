"""The engine: resuming, stopping, checkpoints, batches, budgets."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from repro.engine import budget, checkpoint
from repro.engine.batches import Batches
from repro.engine.budget import Deadline, Stopped
from repro.engine.loop import Collapse, Loop
from repro.errors import UserError
from tests.conftest import ROOT, Write, invoke, repro
from tests.test_recipes import GOOD


class Killed(Exception):
    """Stands for a process that dies: nothing is saved on the way out."""


def context(folder: Path, **changes: Any) -> Any:
    """What Loop needs of a Context."""
    facts = {
        "folder": folder / "stage",
        "seed": 3,
        "stage": "stage",
        "recipe": SimpleNamespace(id="r"),
        "deviations": [],
        "note": lambda deviations: None,
        "deadline": Deadline(),
        "checkpoint_every": 0.0,
        "progress_every": 0.0,
        "log": lambda **values: None,
        "picture": lambda name: folder / "stage" / name,
        "setup": SimpleNamespace(main=True, processes=1, agree=lambda value: value),
    }
    return SimpleNamespace(**{**facts, **changes})


def train(
    ctx: Any, steps: int = 12, die_at: int | None = None, optimizer: str = "AdamW"
) -> tuple[Tensor, list]:
    """A small run with dropout and BatchNorm; returns final weights and the curve."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))
    options = {"lr": 0.05, "momentum": 0.9} if optimizer == "SGD" else {"lr": 0.05}
    update = getattr(torch.optim, optimizer)(model.parameters(), **options)
    loop = Loop(ctx, steps, {"model": model, "optimizer": update}, samples=16)
    for step in loop:
        if step == die_at:
            raise Killed
        x = torch.randn(16, 4, generator=torch.Generator().manual_seed(step))
        loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
        update.zero_grad()
        loss.backward()
        update.step()
        loop.log(loss=loss)
    return torch.cat([p.flatten() for p in model.state_dict().values()]).detach(), loop.curve


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
@pytest.mark.parametrize("die_at", [1, 7, 11])
def test_a_killed_run_goes_on_to_the_same_end(tmp_path: Path, die_at: int, optimizer: str) -> None:
    weights, curve = train(context(tmp_path / "whole"), optimizer=optimizer)
    broken = context(tmp_path / "broken")
    with pytest.raises(Killed):
        train(broken, die_at=die_at, optimizer=optimizer)
    again, curve_again = train(broken, optimizer=optimizer)
    assert torch.equal(weights, again) and curve == curve_again


def test_a_spent_budget_stops_cleanly_and_the_next_call_goes_on(tmp_path: Path) -> None:
    weights, _ = train(context(tmp_path / "whole"))
    calls = 0
    while True:
        calls += 1
        try:
            again, _ = train(context(tmp_path / "pieces", deadline=Deadline(0.0), checkpoint_every=1e9))
            break
        except Stopped as stop:
            assert "budget" in str(stop)
    assert calls == 12 and torch.equal(weights, again)


def test_a_signal_stops_after_the_step(tmp_path: Path) -> None:
    deadline = Deadline()
    with deadline.watching_signals(), pytest.raises(Stopped, match="SIGTERM"):
        os.kill(os.getpid(), signal.SIGTERM)
        train(context(tmp_path, deadline=deadline))
    assert (tmp_path / "stage" / "checkpoint.safetensors").exists()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_loss_that_is_not_finite_stops_with_the_reason(tmp_path: Path) -> None:
    loop = Loop(context(tmp_path), 3, {}, samples=1)
    with pytest.raises(Collapse, match="nan at step 1"):
        for _ in loop:
            loop.log(loss=float("nan"))


@pytest.mark.parametrize("content", [b"", b"garbage" * 10, b"\xff" * 2000])
def test_a_damaged_checkpoint_is_named_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "stage" / "checkpoint.safetensors"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"checkpoint\.safetensors.*damaged.*delete"):
        train(context(tmp_path))
    assert path.read_bytes() == content


def test_a_truncated_or_foreign_checkpoint_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.safetensors"
    checkpoint.save(whole, {"w": torch.ones(100)}, {"a": 1})
    (tmp_path / "cut.safetensors").write_bytes(whole.read_bytes()[:-50])
    save_file({"w": torch.ones(2)}, tmp_path / "foreign.safetensors")
    for name in ("cut", "foreign"):
        with pytest.raises(UserError, match="damaged"):
            checkpoint.load(tmp_path / f"{name}.safetensors")


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.safetensors"
    checkpoint.save(path, {"w": torch.ones(3)}, {"step": 1})

    def full(*args: Any, **kwargs: Any) -> None:
        Path(args[1]).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(UserError, match=r"No space left.*unharmed"):
        checkpoint.save(path, {"w": torch.zeros(3)}, {"step": 2})
    tensors, facts = checkpoint.load(path)
    assert torch.equal(tensors["w"], torch.ones(3)) and facts == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_every_epoch_visits_every_sample_once_and_differently() -> None:
    batches = Batches(samples=103, size=10, epochs=3, drop_last=False, seed=1)
    assert (batches.per_epoch, batches.total) == (11, 33)
    epochs = [torch.cat([batches[e * 11 + i] for i in range(11)]) for e in range(3)]
    assert all(torch.equal(e.sort().values, torch.arange(103)) for e in epochs)
    assert not torch.equal(epochs[0], epochs[1])
    assert torch.equal(Batches(103, 10, 3, False, seed=1)[25], batches[25])  # whatever was asked before
    assert batches.sizes == {10, 3} == {len(batches[0]), len(batches[10])}
    assert Batches(103, 10, 3, True, seed=1).total == 30
    assert Batches(103, 10, 3, True, seed=1).sizes == {10}
    assert Batches(5, 10, 3, False, seed=1).sizes == {5}
    with pytest.raises(UserError, match="larger than the 5 samples"):
        Batches(5, 10, 1, True, seed=0)


@pytest.mark.parametrize(("text", "value"), [("90", 90), ("25m", 1500), ("1h30m", 5400), ("0.5s", 0.5)])
def test_durations(text: str, value: float) -> None:
    assert budget.seconds(text) == value


@pytest.mark.parametrize("text", ["", "soon", "5 minutes", "-3m", "m5"])
def test_bad_durations_are_told(text: str) -> None:
    with pytest.raises(UserError, match="not a duration"):
        budget.seconds(text)


LONGER = GOOD.replace("epochs: 1", "epochs: 30").replace("title: A small one", "title: T\nseeds: [0]")


def test_kill_9_and_the_same_command_again_give_the_same_metrics(write_recipe: Write, project: Path) -> None:
    """The uninterrupted run, and one that is killed twice in the middle of training, byte for byte."""
    write_recipe("whole", LONGER)
    write_recipe("killed", LONGER)
    assert invoke("run", "whole").exit_code == 0
    command = [sys.executable, "-m", "repro", "run", "killed", "--checkpoint-every", "0.2s"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    reached = 0
    for _ in range(2):
        process = subprocess.Popen(command, cwd=project, env=environment, stderr=subprocess.DEVNULL)
        reached = wait_for_a_checkpoint(project, process, after=reached)
        process.kill()
        process.wait()
    assert not list(project.glob("results/records/killed/*"))
    assert invoke("run", "killed").exit_code == 0
    whole, killed = (read_record(project, name) for name in ("whole", "killed"))
    assert killed["metrics"] == whole["metrics"]
    assert killed["curves"] == whole["curves"]
    assert len(killed["plan"]["sessions"]) == 3


@pytest.mark.long
def test_one_of_two_processes_is_killed_and_one_process_goes_on(write_recipe: Write, project: Path) -> None:
    """Two processes until one is killed, then the same command on one: as on one process all the way."""
    write_recipe("whole", LONGER)
    write_recipe("killed", LONGER)
    assert repro("run", "whole", cwd=project).returncode == 0
    command = [
        sys.executable,
        "-m",
        "repro",
        "run",
        "killed",
        "--checkpoint-every",
        "0.2s",
        "--processes",
        "2",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=project, env=environment, stderr=subprocess.DEVNULL)
    wait_for_a_checkpoint(project, process, after=20)
    worker = max((p for p in psutil.Process(process.pid).children(recursive=True)), key=lambda p: p.pid)
    worker.kill()
    assert process.wait(timeout=120) != 0
    assert not list(project.glob("results/records/killed/*"))
    assert repro("run", "killed", cwd=project).returncode == 0
    whole, killed = (read_record(project, name) for name in ("whole", "killed"))
    assert [s["processes"] for s in killed["plan"]["sessions"]] == [2, 1]
    for name in ("pretrain.loss", "pretrain.embedding_std"):
        assert killed["metrics"][name] == pytest.approx(whole["metrics"][name], rel=1e-3)


def wait_for_a_checkpoint(project: Path, process: subprocess.Popen, after: int) -> int:
    """The step of the first checkpoint that is further than `after`."""
    for _ in range(5000):
        for path in project.glob(".repro/runs/killed/*/pretrain/checkpoint.safetensors"):
            if (step := checkpoint.load(path)[1]["step"]) > after:
                return step
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.02)
    raise AssertionError("no checkpoint appeared")


def read_record(project: Path, recipe: str) -> dict:
    import json

    (path,) = project.glob(f"results/records/{recipe}/*.json")
    return json.loads(path.read_text())
