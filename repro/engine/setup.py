"""The machine a run is on: device, precision, processes, and their description for the record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, cached_property
from typing import Any

import psutil
import torch
from accelerate import Accelerator, InitProcessGroupKwargs

from repro import host
from repro.engine.allocation import keep_small_blocks
from repro.errors import UserError

# A process may wait for the others as long as their work takes: one that has died is noticed by its launcher.
PATIENCE = timedelta(days=30)


@dataclass(frozen=True)
class Setup:
    """Device, processes (through Accelerate) and precision of a run."""

    accelerator: Accelerator
    precision: str

    @property
    def device(self) -> torch.device:
        return self.accelerator.device

    def autocast(self) -> torch.autocast:
        """The context in which networks run: bf16 where that is the precision, else nothing."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    @property
    def rank(self) -> int:
        return self.accelerator.process_index

    @property
    def processes(self) -> int:
        return self.accelerator.num_processes

    @property
    def main(self) -> bool:
        """Whether this process writes files and talks to the user."""
        return self.accelerator.is_main_process

    def agree(self, value: Any) -> Any:
        """The main process's value (numbers, strings, None), on every process; also a barrier."""
        if self.processes == 1:
            return value
        box = [value]
        torch.distributed.broadcast_object_list(box, src=0)
        return box[0]

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """What is within, the main process does first, and leaves in a cache what the others then find there."""
        if not self.main:
            self.agree(None)
        try:
            yield
        finally:
            if self.main:
                self.agree(None)

    @cached_property
    def hardware(self) -> dict[str, Any]:
        """Processor, accelerator and memory, as they are written into the record."""
        gpus = torch.cuda.device_count() if self.device.type == "cuda" else 0
        return {
            "cpu": host.cpu_name(),
            "cores": host.cores(),
            "threads": torch.get_num_threads(),
            "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
            "gpus": [torch.cuda.get_device_name(i) for i in range(gpus)],
            "processes": self.processes,
            "system": host.system(),
        }


def set_up(device: str = "auto", precision: str = "auto", recipe_precision: str = "auto") -> Setup:
    """The set-up for `--device auto|cpu|cuda` and `--precision auto|fp32|tf32|bf16`.

    What the command leaves at `auto` the recipe decides; what both leave open is bf16 on a device with fast
    bf16 and fp32 elsewhere. `fp32` is exact: GPUs round to TF32 only where `tf32` says so, and CPUs never do.
    Raises UserError when a GPU is asked for and none is there.
    """
    on_gpu = gpus(device) > 0
    chosen = next((p for p in (precision, recipe_precision) if p != "auto"), None)
    chosen = chosen or ("bf16" if fast_bf16(on_gpu) else "fp32")
    if chosen == "tf32" and not on_gpu:
        chosen = "fp32"
    _round_fp32(chosen)
    if not on_gpu:
        keep_small_blocks()
    return Setup(_accelerator(on_gpu), chosen)


def gpus(device: str, processes: int = 1) -> int:
    """The number of GPUs for `--device auto|cpu|cuda`, 0 for a run on the CPU.

    Raises UserError when a GPU is asked for and none is there, or fewer than there are processes.
    """
    count = torch.cuda.device_count() if device != "cpu" and torch.cuda.is_available() else 0
    if device == "cuda" and not count:
        raise UserError(
            "--device cuda: torch finds no CUDA device here; see `repro doctor`, or use --device cpu."
        )
    if 0 < count < processes:
        raise UserError(
            f"--processes {processes}: there are {count} GPUs here, and each process needs one of its own; "
            "use fewer, or --device cpu."
        )
    return count


@cache
def _accelerator(on_gpu: bool) -> Accelerator:
    """One for the whole program: Accelerate's state is global. Precision is the recipe's own, see `autocast`."""
    return Accelerator(
        cpu=not on_gpu, mixed_precision="no", kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)]
    )


def _round_fp32(precision: str) -> None:
    """How GPUs compute in fp32. Left alone, torch would use TF32 in convolutions and not in products."""
    rounding = "tf32" if precision == "tf32" else "ieee"
    torch.backends.cudnn.conv.fp32_precision = rounding  # type: ignore[attr-defined]
    torch.backends.cuda.matmul.fp32_precision = rounding


def fast_bf16(on_gpu: bool) -> bool:
    """Whether the device computes faster in bf16: GPUs from Ampere on, CPUs with AMX or AVX512-BF16."""
    if on_gpu:
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
