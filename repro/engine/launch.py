"""Starting a command on several processes of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence


def launched() -> bool:
    """Whether this process was started by a launcher (`accelerate launch`, `torchrun`, or `on_processes`)."""
    return "RANK" in os.environ


def on_processes(count: int, arguments: Sequence[str]) -> int:
    """Runs `repro <arguments>` on `count` processes and returns the exit status.

    With torch's elastic launcher, to which `accelerate launch` hands over as well: if a process dies, the
    others are stopped, and the same command resumes the run. The processor's cores are shared out.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    environment = {"OMP_NUM_THREADS": str(max(1, cores // count)), **os.environ}
    return subprocess.run([*command, "-m", "repro", *arguments], env=environment).returncode
