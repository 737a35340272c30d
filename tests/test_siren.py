"""Sitzmann et al. 2020: initialisation, activations, derivatives, the fit of an image; and the plain perceptron."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import integrate, optimize, special, stats
from torch import Tensor, nn

from repro import components
from repro.engine.budget import Deadline, Stopped
from repro.engine.stage import Outcome
from repro.experiments.implicit_representation.activation_statistics import ActivationStatistics
from repro.experiments.implicit_representation.siren_fit import SirenFit, grid, psnr, resized
from repro.networks import coordinate
from repro.networks.mlp import MLP
from repro.recipes.load import load
from tests.test_engine import context

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


# Networks


def test_weights_are_uniform_as_in_section_3_2() -> None:
    n, omega = 128, 30.0
    *layers, last = coordinate.siren(2, 1, width=n, hidden=2, omega=omega)
    hidden = math.sqrt(6 / n) / omega
    for layer, bound in zip(layers, [1 / 2, hidden, hidden], strict=True):
        drawn = layer.weight.detach().flatten().numpy()
        assert stats.kstest(drawn, stats.uniform(-bound, 2 * bound).cdf).pvalue > 1e-3
        assert np.abs(drawn).max() <= bound
    assert last.weight.abs().max() <= hidden
    assert len(layers) == 3 and isinstance(last, nn.Linear)


@pytest.mark.parametrize(("activation", "gain"), [(nn.ReLU, 2.0), (nn.Tanh, 1.0)])
def test_comparison_networks_start_with_the_usual_variance(activation: type[nn.Module], gain: float) -> None:
    net = coordinate.perceptron(2, 1, width=200, hidden=3, activation=activation)
    linear = [layer for layer in net if isinstance(layer, nn.Linear)]
    assert [tuple(layer.weight.shape) for layer in linear] == [(200, 2), *[(200, 200)] * 3, (1, 200)]
    assert linear[2].weight.var().item() == pytest.approx(gain / 200, rel=0.03)


def test_all_networks_have_the_same_size() -> None:
    def parameters(net: nn.Module) -> int:
        return sum(p.numel() for p in net.parameters())

    siren = coordinate.siren(2, 1, width=16, hidden=3, omega=30)
    assert parameters(siren) == parameters(coordinate.perceptron(2, 1, 16, 3, nn.ReLU))


@given(st.floats(0.5, 60), st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_the_factor_on_the_weights_is_the_factor_on_the_activations(omega: float, fan_in: int) -> None:
    layer = coordinate.Sine(fan_in, 5, omega, first=True).double()
    x = torch.rand(7, fan_in, dtype=torch.float64)
    slow = torch.sin(omega * (x @ layer.weight.T + layer.bias))
    assert torch.allclose(layer(x), slow, atol=1e-12)


def test_the_derivative_of_a_siren_is_a_siren_of_shifted_phase() -> None:
    """Section 3: d/dx sin(ω(Wx + b)) = ω W cos(…) = ω W sin(… + π/2), through all layers, as autograd says."""
    omega = 30.0
    net = coordinate.siren(2, 1, width=8, hidden=2, omega=omega).double()
    *layers, last = net
    x = torch.rand(5, 2, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(net(x).sum(), x)
    jacobian, h = torch.eye(2, dtype=torch.float64).expand(5, 2, 2), x.detach()
    for layer in layers:
        phase = omega * (h @ layer.weight.T + layer.bias)
        jacobian = torch.sin(phase + math.pi / 2)[..., None] * omega * layer.weight @ jacobian
        h = torch.sin(phase)
    assert torch.allclose((last.weight @ jacobian).squeeze(1), expected, rtol=1e-9)


@pytest.mark.parametrize("frequencies", [0, 1, 5])
def test_positional_encoding_is_that_of_a_slow_loop(frequencies: int) -> None:
    x = torch.rand(4, 2, dtype=torch.float64) * 2 - 1
    rows = []
    for point in x.tolist():
        row = list(point)
        for wave in (math.sin, math.cos):
            row += [wave(2**i * math.pi * c) for c in point for i in range(frequencies)]
        rows.append(row)
    encoded = coordinate.PositionalEncoding(frequencies)(x)
    assert encoded.shape == (4, 2 + 4 * frequencies)
    assert torch.allclose(encoded, torch.tensor(rows, dtype=torch.float64), atol=1e-5)


@given(st.integers(8, 2048))
def test_no_octave_is_beyond_the_nyquist_frequency(side: int) -> None:
    """2^i π has 2^i / 2 periods per unit; side pixels over 2 units can show up to side / 4 of them."""
    octaves = coordinate.nyquist_frequencies(side)
    assert 2**octaves <= side / 4 < 2 ** (octaves + 1)


@pytest.mark.parametrize("norm", [False, True])
def test_mlp_backbone(norm: bool) -> None:
    options = MLP.Options(backbone="mlp", hidden=(12, 7), activation="gelu", norm=norm)
    net = MLP(options, (3, 4, 5))
    features = net(torch.rand(6, 3, 4, 5))
    assert features.shape == (6, net.dim) == (6, 7)
    assert sum(isinstance(m, nn.BatchNorm1d) for m in net.modules()) == 2 * norm


def test_mlp_backbone_is_the_product_of_its_layers() -> None:
    net = MLP(MLP.Options(backbone="mlp", hidden=(3,)), (1, 2, 2))
    images = torch.rand(5, 1, 2, 2)
    (weight, bias) = net.parameters()
    assert torch.allclose(net(images), (images.reshape(5, 4) @ weight.T + bias).clamp(min=0))


# Activation statistics


def fixed_point(added: float) -> float:
    """v = 1 − e^(−2v) + added, found by bisection; E sin² is integrated rather than taken from its formula."""

    def mean_square_sine(v: float) -> float:
        density = stats.norm(scale=math.sqrt(v)).pdf
        return integrate.quad(lambda x: math.sin(x) ** 2 * density(x), -12, 12)[0]

    return optimize.brentq(lambda v: 2 * mean_square_sine(v) + added - v, 0.1, 2)


def test_the_limits_in_the_recipe_follow_from_the_recursion() -> None:
    recipe = load("siren-activation-statistics")
    expected = {e.metric: e.target for e in recipe.expected if e.source.evidence == "derived"}
    added = 30**2 / (3 * 2048)
    weights, notebook = fixed_point(0), fixed_point(added)
    first = special.sici(60)[0] / 60
    derived = {
        "weights.preactivation_std_2": math.sqrt(1 - first),
        "weights.preactivation_std_deep": math.sqrt(weights),
        "weights.postactivation_std_deep": math.sqrt(weights / 2),
        "notebook.preactivation_std_2": math.sqrt(1 - first * math.sin(60) / 60 + added),
        "notebook.preactivation_std_deep": math.sqrt(notebook),
        "notebook.postactivation_std_deep": math.sqrt((1 - math.exp(-2 * notebook)) / 2),
    }
    assert expected == pytest.approx(derived, abs=1e-6)


@pytest.mark.parametrize(("bias", "added"), [(False, 0.0), (True, 30**2 / (3 * 512))])
def test_measured_statistics_are_near_their_limits(bias: bool, added: float, tmp_path: Path) -> None:
    options = ActivationStatistics.Options(
        kind="activation_statistics", width=512, hidden=10, bias=bias, inputs=512
    )
    outcome = ActivationStatistics(options).run(context(tmp_path, device=CPU))
    assert outcome.metrics["preactivation_std_deep"] == pytest.approx(math.sqrt(fixed_point(added)), abs=0.06)
    assert [row["layer"] for row in outcome.curve] == list(range(1, 12))


# Fitting an image


def photograph(side: int = 32) -> Any:
    """A data set of one smooth grey image with an edge."""
    ramp = np.linspace(0, 255, side)
    image = (ramp[:, None] + ramp[None]) / 2
    image[side // 4 : side // 2, side // 4 : side // 2] = 255
    return SimpleNamespace(images=torch.from_numpy(image.astype(np.uint8))[None, None])


def fitting(folder: Path, **changes: Any) -> Any:
    data = photograph()
    return context(folder, device=CPU, picture=lambda name: folder / name, data=lambda split: data, **changes)


def fit(ctx: Any, steps: int = 6, **changes: Any) -> Outcome:
    ctx.folder.mkdir(parents=True, exist_ok=True)
    options = {"kind": "siren_fit", "side": 16, "steps": steps, "width": 16, "hidden": 1, **changes}
    return SirenFit(SirenFit.Options.model_validate(options)).run(ctx)


@pytest.mark.parametrize(("error", "decibels"), [(2.0, 0.0), (0.2, 20.0), (0.02, 40.0)])
def test_psnr_of_known_errors(error: float, decibels: float) -> None:
    image = torch.full((1, 4, 4), -1.0, dtype=torch.float64)
    assert psnr(image + error, image) == pytest.approx(decibels)


def test_psnr_is_that_of_scikit_image_on_the_unit_scale() -> None:
    from skimage.metrics import peak_signal_noise_ratio

    image, fit = torch.rand(2, 1, 9, 9, dtype=torch.float64) * 2 - 1
    as_unit = [((x + 1) / 2).numpy() for x in (image, fit)]
    assert psnr(fit, image) == pytest.approx(peak_signal_noise_ratio(*as_unit, data_range=1))
    assert psnr(image, image) == math.inf
    assert psnr(image * 3, image.sign()) == psnr((image * 3).clamp(-1, 1), image.sign())


def test_the_image_is_resized_as_torchvision_does() -> None:
    from torchvision.transforms import Compose, Normalize, Resize, ToTensor

    image = photograph(50).images[0]
    reference = Compose([Resize(16), ToTensor(), Normalize([0.5], [0.5])])
    assert torch.allclose(resized(image, 16), reference(Image.fromarray(image[0].numpy())), atol=1e-6)


def test_the_grid_runs_over_rows_then_columns() -> None:
    side = 5
    expected = [(-1 + i / 2, -1 + j / 2) for i in range(side) for j in range(side)]
    assert torch.allclose(grid(side), torch.tensor(expected))


def test_every_network_learns_as_if_it_were_alone(tmp_path: Path) -> None:
    together = fit(fitting(tmp_path / "together"), against=["relu", "tanh", "relu_pe"]).metrics
    alone = fit(fitting(tmp_path / "alone"), against=["tanh"]).metrics
    assert (alone["siren_psnr"], alone["tanh_psnr"]) == (together["siren_psnr"], together["tanh_psnr"])


def test_the_steps_are_those_of_adam_on_all_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One plain loop over the whole image, as in the notebook, against chunks of 100 pixels."""
    from repro.keys import key

    monkeypatch.setattr("repro.experiments.implicit_representation.coordinate_fit.CHUNK", 100)
    outcome = fit(fitting(tmp_path), steps=8, against=["relu"])
    torch.manual_seed(key(3, "stage", "weights", "siren"))
    net = coordinate.siren(2, 1, width=16, hidden=1, omega=30.0)
    adam = torch.optim.Adam(net.parameters(), lr=1e-4)
    image = resized(photograph().images[0], 16)
    losses: list[Tensor] = []
    for _ in range(8):
        losses.append((net(grid(16)) - image.reshape(-1, 1)).square().mean())
        adam.zero_grad()
        losses[-1].backward()
        adam.step()
    curve = [row["siren_mse"] for row in outcome.curve]
    assert curve == pytest.approx([loss.item() for loss in losses], rel=1e-4)


def test_a_fit_that_was_stopped_goes_on_to_the_same_end(tmp_path: Path) -> None:
    whole = fit(fitting(tmp_path / "whole"))
    ctx = fitting(tmp_path / "stopped", deadline=Deadline(0.0))
    for _ in range(5):
        with pytest.raises(Stopped):
            fit(ctx)
        assert (ctx.folder / "checkpoint.safetensors").exists()
    outcome = fit(ctx)
    assert outcome.metrics == whole.metrics and outcome.curve == whole.curve


def test_a_siren_beats_the_others_and_the_picture_shows_it(tmp_path: Path) -> None:
    ctx = fitting(tmp_path)
    faster = {"name": "adam", "lr": 1e-3}
    metrics = fit(ctx, steps=60, width=64, optimizer=faster, against=["relu", "tanh"]).metrics
    assert metrics["psnr_gap"] > 0
    assert metrics["psnr_gap"] == metrics["siren_psnr"] - max(metrics["relu_psnr"], metrics["tanh_psnr"])
    with Image.open(tmp_path / "fits.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (16 + 16, 4 * 16, 3)
    shown = torch.from_numpy(pixels[16:, :16, 0].copy()).float() / 127.5 - 1
    assert torch.allclose(shown, resized(photograph().images[0], 16)[0])


@pytest.mark.parametrize("recipe", ["siren-image", "siren-image-mini", "siren-activation-statistics"])
def test_a_smoke_run_goes_through_every_part(recipe: str, tmp_path: Path) -> None:
    for options in load(recipe).stages.values():
        stage: Any = components.load(("experiments",), options.kind)
        ctx = fitting(tmp_path / recipe)
        ctx.folder.mkdir(parents=True, exist_ok=True)
        metrics = stage(stage.smoke(options)).run(ctx).metrics
        assert metrics and all(math.isfinite(value) for value in metrics.values())
