"""Sitzmann et al. 2020: derivatives of coordinate networks, an image from them, a clip of sound, a wave field."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import integrate, special
from scipy.io import wavfile
from torch import Tensor, nn

from repro import components
from repro.data import audio
from repro.engine.stage import Outcome
from repro.errors import UserError
from repro.experiments.implicit_representation import siren_audio, siren_helmholtz, siren_poisson
from repro.experiments.implicit_representation.siren_fit import grid
from repro.keys import key
from repro.networks import coordinate, derivatives
from tests.test_siren import fitting, photograph


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def run(kind: str, folder: Path, **options: Any) -> Outcome:
    """A stage of small networks; pictures go to the folder."""
    ctx = fitting(folder)
    ctx.folder.mkdir(parents=True, exist_ok=True)
    stage: Any = components.load(("experiments",), kind)
    small = {"kind": kind, "width": 16, "hidden": 1, "steps": 3, **options}
    return stage(stage.Options.model_validate(small)).run(ctx)


# Derivatives


def networks(outputs: int = 2) -> dict[str, nn.Module]:
    encoded = nn.Sequential(
        coordinate.PositionalEncoding(2), coordinate.perceptron(10, outputs, 8, 2, nn.ReLU)
    )
    plain = {n: coordinate.perceptron(2, outputs, 8, 2, f) for n, f in [("relu", nn.ReLU), ("tanh", nn.Tanh)]}
    nets = {"siren": coordinate.siren(2, outputs, 8, 2, 5.0), "relu_pe": encoded, **plain}
    return {name: net.double() for name, net in nets.items()}


@pytest.mark.parametrize("name", ["siren", "tanh", "relu", "relu_pe"])
def test_jets_are_autograd_s_derivatives_and_train_alike(name: str) -> None:
    net, x = networks()[name], torch.rand(6, 2, dtype=torch.float64) - 0.5
    y, slope, bend = derivatives.jets(net, x)
    assert torch.allclose(y, net(x))

    def single(point: Tensor) -> Tensor:
        return net(point[None])[0]

    jacobian = torch.func.vmap(torch.func.jacrev(single))(x)  # (n, o, d)
    hessian = torch.func.vmap(torch.func.jacrev(torch.func.jacrev(single)))(x)  # (n, o, d, d)
    assert torch.allclose(slope, jacobian.permute(2, 0, 1))
    assert torch.allclose(bend, hessian.diagonal(dim1=2, dim2=3).permute(2, 0, 1))
    assert torch.allclose(derivatives.laplacian(net, x), hessian.diagonal(dim1=2, dim2=3).sum(-1))
    weights, curvature = list(net.parameters()), hessian.diagonal(dim1=2, dim2=3).sum()
    ours = torch.autograd.grad((slope**2).sum() + bend.sum(), weights, materialize_grads=True)
    theirs = torch.autograd.grad((jacobian**2).sum() + curvature, weights, materialize_grads=True)
    assert all(torch.allclose(a, b) for a, b in zip(ours, theirs, strict=True))


def test_gradient_is_the_slope_and_can_be_trained() -> None:
    net, x = networks(outputs=1)["siren"], torch.rand(6, 2, dtype=torch.float64)
    found = derivatives.gradient(net, x)
    assert torch.allclose(found, derivatives.jets(net, x)[1][..., 0].T)
    found.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in list(net.parameters())[:-1])


def test_unknown_layers_are_refused() -> None:
    with pytest.raises(TypeError, match="GELU"):
        derivatives.jets(nn.Sequential(nn.Linear(2, 3), nn.GELU()), torch.rand(4, 2))


# An image from its derivatives


def ramp(side: int, kind: str) -> tuple[Tensor, Tensor]:
    """A quadratic image on the grid, and its gradient (2, side, side) or Laplacian (1, side, side) in coordinates."""
    x, y = grid(side).double().T.reshape(2, side, side)
    image = 0.3 * x + 0.2 * x * x - 0.4 * x * y + 0.1 * y * y
    if kind == "gradient":
        return image, torch.stack([0.3 + 0.4 * x - 0.4 * y, 0.2 * y - 0.4 * x])
    return image, torch.full((1, side, side), 0.6, dtype=torch.float64)


@pytest.mark.parametrize("kind", ["gradient", "laplacian"])
def test_filters_are_the_derivatives_times_the_factor(kind: str) -> None:
    side = 12
    image, exact = ramp(side, kind)
    found = siren_poisson.filtered(image, kind)
    inner = (slice(None), slice(1, -1), slice(1, -1))
    assert torch.allclose(found[inner], siren_poisson.factor(side, kind) * exact[inner])


def test_sobel_is_that_of_a_slow_loop() -> None:
    image = torch.rand(5, 6, dtype=torch.float64)
    padded = np.pad(image.numpy(), 1, mode="symmetric")
    weights = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
    rows, columns = siren_poisson.filtered(image, "gradient")
    for i in range(5):
        for j in range(6):
            patch = padded[i : i + 3, j : j + 3]
            assert rows[i, j].item() == pytest.approx((weights * patch).sum())
            assert columns[i, j].item() == pytest.approx((weights.T * patch).sum())


@pytest.mark.parametrize("kind", ["gradient", "laplacian"])
def test_integration_multiplies_each_cosine_by_what_its_filter_leaves(kind: str) -> None:
    """cos(π p (i + ½)/n) cos(π q (j + ½)/n) is its own mirror image, and an eigenfunction of filter and integral."""
    side, p, q = 16, 3, 2
    ticks = torch.arange(side, dtype=torch.float64) + 0.5
    u, v = math.pi * p / side, math.pi * q / side
    image = (u * ticks).cos()[:, None] * (v * ticks).cos()
    found = siren_poisson.integrated(siren_poisson.filtered(image, kind), kind)
    square = u * u + v * v
    sobel = (u * math.sin(u) * (1 + math.cos(v)) + v * math.sin(v) * (1 + math.cos(u))) / (2 * square)
    stencil = (4 - 2 * math.cos(u) - 2 * math.cos(v)) / square
    assert torch.allclose(found, (sobel if kind == "gradient" else stencil) * image, atol=1e-12)


def test_range_psnr_of_a_known_error() -> None:
    target = torch.tensor([-3.0, 5.0])
    assert siren_poisson.range_psnr(target + 0.08, target) == pytest.approx(40.0, abs=1e-3)


@pytest.mark.parametrize(("kind", "amplify"), [("gradient", 5.0), ("laplacian", 40.0)])
def test_a_network_that_learns_the_field_gives_the_image(kind: str, amplify: float, tmp_path: Path) -> None:
    outcome = run(
        "siren_poisson",
        tmp_path,
        side=16,
        supervise=kind,
        amplify=amplify,
        steps=80,
        width=64,
        omega=10,
        optimizer={"name": "adam", "lr": 1e-3},
        against=["tanh"],
    )
    first, last = outcome.curve[0], outcome.curve[-1]
    assert last["siren_mse"] < 0.05 * first["siren_mse"]
    assert outcome.metrics["siren_field_psnr"] > outcome.metrics["tanh_field_psnr"]
    assert outcome.metrics["siren_psnr"] > outcome.metrics["tanh_psnr"]
    if kind == "gradient":
        assert outcome.metrics["siren_psnr"] > outcome.metrics["spectral_psnr"] - 8
    with Image.open(tmp_path / "images.png") as picture:
        assert picture.size == (4 * 128, 128 + 16)
    with Image.open(tmp_path / "fields.png") as picture:
        assert picture.size == (3 * 128, 128 + 16)


def test_the_first_step_is_the_notebook_s(tmp_path: Path) -> None:
    """The loss of the notebook sums over the two components, ours is their mean; Adam's step is the same."""
    outcome = run("siren_poisson", tmp_path, side=16, steps=2, against=["tanh"])
    torch.manual_seed(key(3, "stage", "weights", "siren"))
    net = coordinate.siren(2, 1, 16, 1, 30.0)
    adam = torch.optim.Adam(net.parameters(), lr=1e-4)
    image = siren_poisson.resized(photograph().images[0], 16)[0]
    target = siren_poisson.filtered(image, "gradient").reshape(2, -1).T
    losses = []
    for _ in range(2):
        x = grid(16).requires_grad_()
        slope = torch.autograd.grad(net(x), x, torch.ones(256, 1), create_graph=True)[0]
        loss = (slope - target).pow(2).sum(-1).mean()
        losses.append(loss.item() / 2)
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert [row["siren_mse"] for row in outcome.curve] == pytest.approx(losses, rel=1e-4)


# Sound


def test_times_are_those_of_the_authors_grid() -> None:
    whole = torch.from_numpy(np.linspace(-100, 100, 1001)).float()
    assert torch.allclose(siren_audio.times(1001, 1001, 100.0)[:, 0], whole, atol=1e-5)
    part = siren_audio.times(11, 1001, 100.0)[:, 0]
    assert torch.allclose(part, whole[495:506], atol=1e-5)


def test_the_loudest_stretch() -> None:
    signal = torch.tensor([0.1, 0.2, -0.9, 0.3, 0.5, 0.5, 1.0])
    assert siren_audio.loudest(signal, 2).tolist() == pytest.approx([-0.9, 0.3])
    assert siren_audio.loudest(signal, 100).tolist() == signal.tolist()


def test_the_stand_in_is_plucked_notes() -> None:
    signal = audio.plucked()
    assert len(signal) == 7 * 44100 and signal.abs().max() == 1
    note = signal[44100 // 4 : 44100 // 2].double().numpy()  # the second note, 146.8 Hz
    spectrum = np.abs(np.fft.rfft(note * np.hanning(len(note)), 16 * len(note)))
    peak = np.argmax(spectrum) * 44100 / (16 * len(note))
    assert peak == pytest.approx(146.8, abs=2)


def test_a_clip_is_the_authors_file_or_the_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPRO_DATA", str(tmp_path))
    found = audio.clip("bach")
    assert torch.equal(found.signal, audio.plucked()) and found.deviations[0].disqualifies
    (tmp_path / "siren_audio").mkdir()
    path = tmp_path / "siren_audio" / "gt_bach.wav"
    wavfile.write(path, 8000, np.array([0.1, -0.5, 0.25], dtype=np.float32))
    with pytest.raises(UserError, match="not the authors' file"):
        audio.clip("bach")
    monkeypatch.setitem(audio.CLIPS, "bach", hashlib.sha256(path.read_bytes()).hexdigest())
    signal, rate, deviations = audio.clip("bach")
    assert signal.tolist() == pytest.approx([0.2, -1.0, 0.5]) and rate == 8000 and not deviations


def test_a_siren_learns_a_sound_that_relu_does_not(tmp_path: Path) -> None:
    faster = {"name": "adam", "lr": 1e-3}
    outcome = run(
        "siren_audio",
        tmp_path,
        clip="synthetic",
        samples=512,
        steps=100,
        width=32,
        optimizer=faster,
        against=["relu"],
    )
    m = outcome.metrics
    assert m["siren_mse"] < 0.1 * m["silence_mse"] and m["siren_mse"] < 0.1 * m["relu_mse"]
    assert m["siren_snr"] == pytest.approx(10 * math.log10(m["silence_mse"] / m["siren_mse"]))
    assert "error of siren" in (tmp_path / "error.svg").read_text(encoding="utf-8")
    assert "relu" in (tmp_path / "waveform.svg").read_text(encoding="utf-8")


# The Helmholtz equation


def stretched(x: Tensor) -> Tensor:
    """x̃ = ∫₀ˣ e(s) ds of each coordinate, by numerical integration."""

    def one(value: float) -> complex:
        def absorbed(s: float) -> float:
            return 5.0 * (max(0.0, abs(s) - 0.5) / 0.5) ** 2

        return value - 1j * integrate.quad(absorbed, 0, value, points=[-0.5, 0.5])[0]

    return torch.tensor([[one(v) for v in row] for row in x.tolist()], dtype=torch.complex128)


class Known(nn.Module):
    """Stands in for a network: its jets are those of a function given in complex numbers."""


@pytest.mark.parametrize("angle", [0.0, 0.7, 2.5])
def test_plane_waves_in_stretched_coordinates_leave_no_residual(
    angle: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """e^(−i k (x̃ cos + ỹ sin)) solves the equation everywhere, also in the layer, where it fades."""
    k, direction = 7.0, torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.complex128)
    x = torch.tensor([[0.1, -0.2], [0.3, 0.8], [-0.9, 0.4], [-0.7, -0.95]], dtype=torch.float64)

    def jets(net: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
        e, slope_of_e = siren_helmholtz.stretch(x)
        wave = (-1j * k * stretched(x) @ direction).exp()
        slope = -1j * k * direction * e * wave[:, None]
        bend = -1j * k * direction * slope_of_e * wave[:, None] - (k * direction * e) ** 2 * wave[:, None]
        return tuple(torch.view_as_real(part) for part in (wave, slope.T, bend.T))

    monkeypatch.setattr(siren_helmholtz, "jets", jets)
    assert siren_helmholtz.residual(Known(), x, k).abs().max() < 1e-10


def test_without_the_layer_the_residual_is_helmholtz_s() -> None:
    net, k = networks()["siren"], 3.0
    x = torch.rand(5, 2, dtype=torch.float64) - 0.5
    y, _, bend = derivatives.jets(net, x)
    expected = bend.sum(0) + k * k * y
    assert torch.allclose(torch.view_as_real(siren_helmholtz.residual(net, x, k)), expected)


def test_the_layer_s_slope_is_its_derivative() -> None:
    x = torch.tensor([-0.9, -0.6, -0.2, 0.3, 0.55, 1.0], dtype=torch.float64, requires_grad=True)
    e, slope = siren_helmholtz.stretch(x)
    assert e[2] == e[3] == 1 and e[5].imag.item() == pytest.approx(-5.0)
    assert torch.allclose(slope.imag, torch.autograd.grad(e.imag.sum(), x)[0])


def test_the_field_is_the_sum_of_the_fields_of_all_points_of_the_source() -> None:
    """∫ G(|x − s|) f(s) ds, by a fine sum over the source, against the closed form."""
    k, variance = 10.0, 1e-3
    x = torch.tensor([[0.4, 0.1], [-0.3, 0.35]])
    cells = 301
    reach = siren_helmholtz.reach(variance)
    s = reach * grid(cells).double()
    weights = siren_helmholtz.gaussian(s, variance) * (2 * reach / (cells - 1)) ** 2
    assert weights.sum() == pytest.approx(1, abs=1e-3)
    distance = (x.double()[:, None] - s).norm(dim=-1).numpy()
    sums = (1 + 1j) * (0.25j * special.hankel2(0, k * distance) * weights.numpy()).sum(1)
    assert siren_helmholtz.free_space(x, k, variance).numpy() == pytest.approx(sums, rel=1e-3)


def test_points_cover_the_square_and_the_source() -> None:
    o = siren_helmholtz.SirenHelmholtz.Options(kind="siren_helmholtz", points=4000, source_points=1000)
    x = siren_helmholtz.points(o)
    source = x[-1000:].norm(dim=1)
    assert x.shape == (4000, 2) and source.max() <= 5 * 0.01
    assert (source < 0.05 / math.sqrt(2)).float().mean().item() == pytest.approx(0.5, abs=0.06)  # by area
    assert x[:-1000].abs().max() <= 1 and x[:-1000].std(0).tolist() == pytest.approx([3**-0.5] * 2, rel=0.05)


def test_the_loss_is_the_authors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of absolute values, those at the source times points / 1000; divided by the number of points."""
    monkeypatch.setattr(siren_helmholtz, "CHUNK", 50)
    o = siren_helmholtz.SirenHelmholtz.Options(
        kind="siren_helmholtz", points=200, source_points=20, variance=1e-3
    )
    net, x = networks()["siren"], siren_helmholtz.points(o).double()
    found = siren_helmholtz.SirenHelmholtz(o)._backward(net, x)
    left = torch.view_as_real(siren_helmholtz.residual(net, x, 20.0)).detach()
    total = 0.0
    for point, parts in zip(x.tolist(), left.tolist(), strict=True):
        density = math.exp(-(point[0] ** 2 + point[1] ** 2) / 2e-3) / (2 * math.pi * 1e-3)
        if density >= 1e-5:
            total += sum(abs(part - density) for part in parts) * 200 / 1000
        else:
            total += sum(map(abs, parts))
    assert found.item() == pytest.approx(total / 200, rel=1e-6)


def test_training_lowers_the_residual_and_draws_the_fields(tmp_path: Path) -> None:
    outcome = run(
        "siren_helmholtz",
        tmp_path,
        wavenumber=3.0,
        variance=5e-3,
        points=400,
        source_points=20,
        steps=100,
        width=32,
        omega=10.0,
        optimizer={"name": "adam", "lr": 2e-3},
        against=["tanh"],
    )
    losses = [row["siren_loss"] for row in outcome.curve]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    assert set(outcome.metrics) == {"siren_error", "tanh_error"}
    with Image.open(tmp_path / "fields.png") as picture:
        assert picture.width > 2 * picture.height
