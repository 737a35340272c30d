"""Which precision a run gets, what it means on a GPU, and what becomes of freed memory on a CPU."""

from __future__ import annotations

import platform
from collections.abc import Iterator

import pytest
import torch

from repro.engine import setup
from repro.engine.allocation import keep_small_blocks
from repro.engine.setup import set_up
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
