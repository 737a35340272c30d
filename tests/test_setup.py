"""Which precision a run gets, what it means on a GPU, and what becomes of freed memory on a CPU."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import torch

from repro.engine import setup
from repro.engine.allocation import keep_small_blocks
from repro.engine.setup import gpus, set_up
from repro.errors import UserError

PLACES = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)


@pytest.fixture(autouse=True)
def _rounding_left_as_it_was() -> Iterator[None]:
    before = [place.fp32_precision for place in PLACES]
    yield
    for place, value in zip(PLACES, before, strict=True):
        place.fp32_precision = value


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that says it has a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(setup, "_accelerator", lambda on_gpu: "the GPU" if on_gpu else "the CPU")


@pytest.mark.parametrize(
    ("asked", "recipe", "given"),
    [("auto", "fp32", "fp32"), ("bf16", "fp32", "bf16"), ("fp32", "auto", "fp32"), ("tf32", "auto", "fp32")],
)
def test_the_command_decides_before_the_recipe_and_tf32_is_exact_on_a_cpu(
    asked: str, recipe: str, given: str
) -> None:
    assert set_up("cpu", asked, recipe).precision == given


@pytest.mark.parametrize("fast", [True, False])
def test_what_both_leave_open_follows_the_device(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "fast_bf16", lambda on_gpu: fast)
    assert set_up("cpu").precision == ("bf16" if fast else "fp32")


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(("precision", "rounding"), [("fp32", "ieee"), ("tf32", "tf32"), ("bf16", "ieee")])
def test_a_gpu_rounds_only_where_it_is_asked_to(precision: str, rounding: str) -> None:
    set_up("cuda", "tf32" if precision != "tf32" else "fp32")  # what a recipe before may have left
    assert set_up("cuda", precision).precision == precision
    assert {place.fp32_precision for place in PLACES} == {rounding}


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no CUDA device"):
        set_up("cuda")


@pytest.mark.usefixtures("gpu")
def test_every_process_needs_a_gpu_of_its_own() -> None:
    assert (gpus("auto", 2), gpus("cpu", 3)) == (2, 0)
    with pytest.raises(UserError, match="--processes 3: there are 2 GPUs"):
        gpus("auto", 3)


def test_processes_wait_for_each_other_as_long_as_it_takes() -> None:
    """One may fit a probe, or decode a data set, for more than torch's ten minutes."""
    handed: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setup, "Accelerator", lambda **options: handed.update(options))
        setup._accelerator.__wrapped__(False)
    (options,) = handed["kwargs_handlers"]
    assert options.to_kwargs()["timeout"] >= timedelta(days=7)


def test_the_main_process_goes_first() -> None:
    """Each of three processes is a thread; `agree` is their barrier."""
    barrier, order = threading.Barrier(3), []

    class Ours(setup.Setup):
        main = property(lambda self: self.precision == "0")
        agree = lambda self, value: barrier.wait(timeout=10) and None  # noqa: E731

    def process(rank: int) -> None:
        with Ours(None, str(rank)).main_first():  # type: ignore[arg-type]
            time.sleep(0.2 * (rank == 0))
            order.append(rank)

    threads = [threading.Thread(target=process, args=[rank]) for rank in (2, 1, 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert order[0] == 0 and sorted(order) == [0, 1, 2]


def test_glibc_accepts_the_settings_of_its_memory() -> None:
    assert keep_small_blocks() == (platform.libc_ver()[0] == "glibc")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_fp32_on_a_gpu_is_as_exact_as_on_a_cpu() -> None:
    torch.manual_seed(0)
    x, w = torch.randn(8, 64, 16, 16, device="cuda"), torch.randn(64, 64, 3, 3, device="cuda")
    exact = torch.nn.functional.conv2d(x.double(), w.double())

    def error(precision: str) -> float:
        set_up("cuda", precision)
        return float((torch.nn.functional.conv2d(x, w) - exact).abs().max() / exact.abs().max())

    assert error("fp32") < 1e-6
    if torch.cuda.get_device_capability() >= (8, 0):
        assert error("tf32") > 1e-5
