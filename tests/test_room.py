"""What a process may take: control groups of both versions from made-up files, and the share of what is free."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch

from repro.engine import room

MACHINE = 1000


@pytest.fixture(autouse=True)
def _a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=MACHINE))
    monkeypatch.setattr(
        psutil, "Process", lambda: SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=60))
    )


def version_2(folder: Path, limit: object, used: int, idle: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in (("max", limit), ("current", used), ("stat", f"anon 1\ninactive_file {idle}")):
        (folder / f"memory.{name}").write_text(f"{value}\n")


def version_1(folder: Path, limit: int, used: int, idle: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (folder / "memory.usage_in_bytes").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"inactive_file 7\ntotal_inactive_file {idle}\n")


def ours(root: Path, text: str) -> None:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(text)


def test_without_groups_it_is_what_the_machine_has(tmp_path: Path) -> None:
    assert room.free(tmp_path) == MACHINE


def test_the_tightest_of_nested_groups_decides(tmp_path: Path) -> None:
    ours(tmp_path, "0::/job/step\n")
    top = tmp_path / "sys/fs/cgroup"
    version_2(top / "job/step", "max", 300)
    version_2(top / "job", 800, 500, idle=100)
    assert list(room.groups(tmp_path)) == [(800, 400)]
    assert room.free(tmp_path) == 400
    version_2(top / "job/step", 350, 300)
    assert room.free(tmp_path) == 50
    version_2(top / "job/step", 350, 400)
    assert room.free(tmp_path) == 0


def test_in_a_container_the_mount_is_the_group(tmp_path: Path) -> None:
    ours(tmp_path, "0::/not/visible/here\n")
    version_2(tmp_path / "sys/fs/cgroup", 700, 100)
    assert room.free(tmp_path) == 600


def test_version_1_and_a_mount_of_both(tmp_path: Path) -> None:
    ours(tmp_path, "9:name=systemd:/\n4:cpu,memory:/job\n0::/\n")
    version_1(tmp_path / "sys/fs/cgroup/memory/job", 900, 500, idle=50)
    version_1(tmp_path / "sys/fs/cgroup/memory", 2**63 - 4096, 500)
    assert room.free(tmp_path) == 450
    version_2(tmp_path / "sys/fs/cgroup/unified", 480, 100)
    assert room.free(tmp_path) == 380


@pytest.mark.parametrize("processes", [1, 2])
def test_a_process_may_take_seven_tenths_of_its_share(
    processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what is free, and of what it has already."""
    monkeypatch.setattr(room, "free", lambda: 400)
    setup: Any = SimpleNamespace(device=torch.device("cpu"), processes=processes)
    assert room.room(setup) == pytest.approx(0.7 * (400 / processes + 60))
    assert room.room(setup, processes=4) == pytest.approx(0.7 * 160)
