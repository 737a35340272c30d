"""Sablayrolles et al. 2020: the law of the test, marks in features and pixels, alignment, and all steps in small."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import Tensor, nn

from repro import paths
from repro.data.fingerprint import fingerprint
from repro.data.images import ImageSet, image_set
from repro.data.load import load as load_data
from repro.engine.budget import Deadline, Stopped
from repro.engine.checkpoint import load as read
from repro.engine.checkpoint import save
from repro.engine.run import Run
from repro.engine.setup import set_up
from repro.engine.stage import Outcome
from repro.experiments.security import (
    radioactive_detect,
    radioactive_features,
    radioactive_marks,
    radioactive_train,
)
from repro.experiments.security.cosine_null import CosineNull
from repro.experiments.security.radioactive import combined_log10, cosine_p, detection, directions, kolmogorov
from repro.experiments.security.radioactive_detect import aligned
from repro.experiments.security.radioactive_marks import psnr
from repro.keys import generator, key
from repro.recipes.load import load
from repro.views.augment import Augment
from repro.views.draws import Draws
from tests.conftest import Write
from tests.test_engine import context

CPU = torch.device("cpu")


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# The test


@pytest.mark.parametrize("dim", [4, 16, 64])
@pytest.mark.parametrize("cosine", [-0.6, -0.1, 0.0, 0.2, 0.7])
def test_p_is_the_share_of_the_sphere_beyond_the_cosine(dim: int, cosine: float) -> None:
    """The angle θ of two directions has the density sin(θ)^(d−2), by quadrature."""

    def area(angle: float) -> float:
        return integrate.quad(lambda t: math.sin(t) ** (dim - 2), 0, angle, epsabs=1e-14)[0]

    assert cosine_p(cosine, dim) == pytest.approx(area(math.acos(cosine)) / area(math.pi), rel=1e-6)


def test_p_in_the_plane_and_in_space() -> None:
    c = np.linspace(-1, 1, 21)
    assert cosine_p(c, 2) == pytest.approx(np.arccos(c) / math.pi)
    assert cosine_p(c, 3) == pytest.approx(
        (1 - c) / 2
    )  # Archimedes: areas on the sphere are those on the cylinder


def test_combined_p_is_scipy_s() -> None:
    p = gaussian(5, 7).abs().exp().reciprocal().numpy()
    assert combined_log10(p) == pytest.approx([math.log10(stats.combine_pvalues(row)[1]) for row in p])


def test_combined_p_far_in_the_tail() -> None:
    """One p-value is its own combination; of two with the product q it is q (1 − ln q)."""
    assert combined_log10([1e-250]) == pytest.approx(-250)
    q = 1e-100, 1e-220
    log = 320 * math.log(10)
    assert combined_log10(q) == pytest.approx(-320 + math.log10(1 + log))
    assert math.isfinite(combined_log10(np.zeros(10)))


def test_kolmogorov_s_statistic_is_scipy_s() -> None:
    p = stats.norm.cdf(gaussian(50).numpy())
    assert kolmogorov(p) == pytest.approx(math.sqrt(50) * stats.kstest(p, "uniform").statistic)


def test_detection_is_the_plain_loop_over_classes() -> None:
    weights, carriers = gaussian(2, 3, 5), directions(6, 5, torch.Generator().manual_seed(1)).view(2, 3, 5)
    cosine, log10_p = detection(weights, carriers)
    for i in range(2):
        p = []
        for k in range(3):
            w, u = weights[i, k].tolist(), carriers[i, k].tolist()
            c = sum(a * b for a, b in zip(w, u, strict=True)) / math.hypot(*w) / math.hypot(*u)
            assert cosine[i, k] == pytest.approx(c)
            tail = stats.beta.sf(c * c, 0.5, 2.0) / 2
            p.append(tail if c > 0 else 1 - tail)
        assert log10_p[i] == pytest.approx(math.log10(stats.combine_pvalues(p)[1]))


@pytest.mark.parametrize("classes", [1, 10])
def test_the_null_law_is_met_and_the_wrong_law_is_not(tmp_path: Path, classes: int) -> None:
    options = {"kind": "cosine_null", "dims": [8], "draws": 20000, "classes": classes}
    ctx = context(tmp_path, device=CPU, picture=lambda name: tmp_path / name)
    metrics = CosineNull(CosineNull.Options.model_validate(options)).run(ctx).metrics
    assert metrics["variance_8"] == pytest.approx(1, abs=4 * math.sqrt(2 / 20000))
    assert metrics["ks"] < 2 and metrics["combined_ks"] < 2
    assert metrics["false_positives"] == pytest.approx(5, abs=400 * math.sqrt(0.05 * 0.95 * classes / 20000))
    assert (tmp_path / "p_values.svg").stat().st_size > 0
    cosine = (directions(20000, 8, torch.Generator()) @ directions(1, 8, torch.Generator())[0]).numpy()
    assert kolmogorov(cosine_p(cosine[1:], 12)) > 4


# Marked features


@pytest.fixture
def clusters(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Two splits of 4 Gaussian classes in 32 dimensions, which the features are themselves."""
    means = 0.5 * gaussian(4, 32, seed=1)
    labels = torch.arange(400) % 4
    splits = {
        split: SimpleNamespace(images=means[labels] + gaussian(400, 32, seed=seed), labels=labels)
        for seed, split in ((2, "train"), (3, "test"))
    }
    frozen = SimpleNamespace(encoder=nn.Identity().eval())
    monkeypatch.setattr(radioactive_features, "trained", lambda ctx, stage, data: frozen)
    monkeypatch.setattr(radioactive_features, "extract", lambda ctx, network, data, views: data.images)
    return splits


def features_run(folder: Path, splits: Any, **changes: Any) -> Outcome:
    folder.joinpath("stage").mkdir(parents=True, exist_ok=True)
    recipe = SimpleNamespace(id="r", stages={"net": SimpleNamespace(views=None)})
    given = {"data": splits.get, "picture": lambda name: folder / name, "recipe": recipe, "device": CPU}
    ctx = context(folder, **{**given, **changes})
    options = {
        "kind": "radioactive_features",
        "of": "net",
        "percent": [5, 50],
        "repeats": 3,
        "null_repeats": 4000,
    }
    stage = radioactive_features.RadioactiveFeatures
    return stage(stage.Options.model_validate(options)).run(ctx)


def test_marks_in_features_are_found_and_clean_ones_give_uniform_p(tmp_path: Path, clusters: Any) -> None:
    metrics = features_run(tmp_path, clusters).metrics
    assert metrics["false_positives"] == pytest.approx(5, abs=400 * math.sqrt(0.05 * 0.95 / 4000))
    assert metrics["log10_p_0"] == pytest.approx(-1 / math.log(10), abs=4 / math.log(10) / math.sqrt(4000))
    assert metrics["log10_p_0"] > metrics["log10_p_5"] > metrics["log10_p_50"]
    assert metrics["cosine_50"] > metrics["cosine_5"] > abs(metrics["cosine_0"])
    assert metrics["log10_p_50"] < -2 and metrics["top1_0"] > 80
    assert (tmp_path / "log10_p.svg").exists()


def test_evidence_counts_what_is_below_the_levels() -> None:
    carriers = directions(40, 16, torch.Generator().manual_seed(2)).view(4, 10, 16)
    sure, none = (radioactive_features.evidence(sign * carriers[0], carriers[:1]) for sign in (3, -1))
    assert sure["cosine"] == pytest.approx(1) and sure["power"] == sure["false_positives"] == 100
    assert none["cosine"] == pytest.approx(-1) and none["power"] == none["false_positives"] == 0
    all_four = radioactive_features.evidence(carriers[0], carriers)
    assert all_four["power"] == 25 and all_four["log10_p"] < sure["log10_p"] / 4


def test_features_that_were_stopped_go_on_to_the_same_end(tmp_path: Path, clusters: Any) -> None:
    whole = features_run(tmp_path / "whole", clusters)
    for _ in range(2):
        with pytest.raises(Stopped):
            features_run(tmp_path / "stopped", clusters, deadline=Deadline(0.0))
    assert features_run(tmp_path / "stopped", clusters).metrics == whole.metrics


def test_the_unit_of_the_marks_is_the_distance_from_the_class_mean() -> None:
    x, labels = gaussian(9, 4), torch.tensor([0, 1, 2] * 3)
    total = 0.0
    for i in range(9):
        mean = sum(x[j] for j in range(9) if labels[j] == labels[i]) / 3
        total += float((x[i] - mean).square().sum())
    assert radioactive_features.within(x, labels) == pytest.approx(math.sqrt(total / 9))


# Marked images


class Small(nn.Module):
    """Features tanh(A x + b) of images of 3×2×2 values."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(12, 6)
        self.dim = 6
        self.requires_grad_(False).eval()

    def forward(self, images: Tensor) -> Tensor:
        return self.map(images.flatten(1)).tanh()


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Small:
    torch.manual_seed(0)
    encoder = Small()
    monkeypatch.setattr(radioactive_marks, "trained", lambda *_: SimpleNamespace(encoder=encoder))
    return encoder


def pictures(n: int = 20) -> ImageSet:
    images = torch.randint(
        0, 256, (n, 3, 2, 2), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )
    facts = {"name": "noise", "split": "train", "classes": 2}
    return image_set(images, torch.arange(n) % 2, mean=(0.5, 0.4, 0.5), std=(0.25, 0.2, 0.3), **facts)


def marking(folder: Path, images: ImageSet, deadline: Deadline | None = None, **changes: Any) -> Outcome:
    folder.joinpath("stage").mkdir(parents=True, exist_ok=True)
    setup = SimpleNamespace(main=True, processes=1, agree=lambda value: value, autocast=nullcontext)
    ctx = context(folder, device=CPU, data=lambda split: images, setup=setup, deadline=deadline or Deadline())
    ctx.picture = lambda name: folder / name
    options = {
        "kind": "radioactive_marks",
        "of": "net",
        "percent": 50,
        "views": {"flip": 0.5},
        "optimizer": {"name": "sgd", "lr": 0.3},
        "steps": 12,
        "batch": 4,
        **changes,
    }
    stage = radioactive_marks.RadioactiveMarks
    return stage(stage.Options.model_validate(options)).run(ctx)


def test_the_marking_is_the_plain_loop_over_images(tmp_path: Path, network: Small) -> None:
    """One image after the other, in normalised pixels, with the gradient from autograd and SGD by hand."""
    data = pictures()
    marking(tmp_path, data, feature_weight=0.3, image_weight=0.02)
    found, _ = read(tmp_path / "stage" / "marks.safetensors")
    mean, std = (torch.tensor(v)[:, None, None] for v in (data.mean, data.std))
    for row, i in enumerate(found["index"]):
        x = (data.images[i].float() / 255 - mean) / std
        start, now = network(x[None])[0], x.clone()
        u = found["carriers"][data.labels[i]]
        for step in range(12):
            now.requires_grad_(True)
            draws = Draws(key(3, "stage", step), 0, i[None])
            seen = now.flip(-1) if draws.happens("flip", 0.5) else now
            moved = network(seen[None])[0] - start
            loss = -(moved @ u) + 0.3 * moved.norm() + 0.02 * (now - x).norm() ** 2
            (slope,) = torch.autograd.grad(loss, now)
            now = now.detach() - 0.3 * slope
            now = torch.maximum(torch.minimum(now, x + 10 / 255 / std), x - 10 / 255 / std)
            if step in (0, 10):
                now = ((255 * (now * std + mean)).round().clamp(0, 255) / 255 - mean) / std
        levels = (255 * (now * std + mean)).round().clamp(0, 255)
        assert torch.equal(found["images"][row].float(), levels)


def test_marks_move_features_along_the_carrier_within_the_radius(tmp_path: Path, network: Small) -> None:
    data = pictures()
    metrics = marking(tmp_path, data, views={}, radius=7).metrics
    found, _ = read(tmp_path / "stage" / "marks.safetensors")
    assert sorted(data.labels[found["index"]].tolist()) == [0] * 5 + [1] * 5
    difference = found["images"].int() - data.images[found["index"]].int()
    assert 0 < difference.abs().max() <= 7
    assert metrics["shift"] > 0 and 0 < metrics["alignment"] <= 1
    assert metrics["psnr"] >= 20 * math.log10(255 / 7)
    assert found["carriers"].norm(dim=1).tolist() == pytest.approx([1, 1])
    assert (tmp_path / "marks.png").exists()


def test_marking_that_was_stopped_goes_on_to_the_same_end(tmp_path: Path, network: Small) -> None:
    whole = marking(tmp_path / "whole", pictures())
    for _ in range(2):
        with pytest.raises(Stopped):
            marking(tmp_path / "stopped", pictures(), Deadline(0.0))
    assert marking(tmp_path / "stopped", pictures()).metrics == whole.metrics
    one, other = (read(tmp_path / n / "stage" / "marks.safetensors")[0] for n in ("whole", "stopped"))
    assert torch.equal(one["images"], other["images"])


def test_gradients_pass_through_the_random_crops() -> None:
    marks: Any = load("radioactive-cifar10").stages["mark_1"]
    view = Augment(marks.views, 8, (0.5,) * 3, (0.25,) * 3).views[0]
    pixels = torch.rand(4, 3, 8, 8, requires_grad=True)
    seen = view(pixels, Draws(1, 0, torch.arange(4)))
    seen.sum().backward()
    assert pixels.grad is not None
    kept = pixels.grad.flatten(1).mean(1) * 0.25  # each pixel that is seen counts 1/std
    assert ((kept > 0.2) & (kept <= 1)).all()


def test_psnr_is_that_of_scikit_image() -> None:
    from skimage.metrics import peak_signal_noise_ratio

    a, b = pictures(2).images, pictures(3).images[1:]
    expected = [
        peak_signal_noise_ratio(x.numpy(), y.numpy(), data_range=255) for x, y in zip(a, b, strict=True)
    ]
    assert psnr(a, b).tolist() == pytest.approx(expected)


def test_training_sees_the_marked_images_in_their_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dataclass
    class Surroundings:
        load: Any
        folder: Path = tmp_path

        def of(self, stage: str) -> Path:
            return self.folder / stage

    seen: dict[str, Tensor] = {}
    known: dict[str, Any] = {}

    class Recorder:
        def __init__(self, options: Any) -> None:
            pass

        def run(self, ctx: Any) -> Outcome:
            seen.update({split: ctx.load(split).images for split in ("train", "test")})
            known.update({split: ctx.load(split).fingerprint for split in ("train", "test")})
            return Outcome({})

    clean, index = pictures(), torch.tensor([3, 8])
    (tmp_path / "mark").mkdir()
    save(tmp_path / "mark" / "marks.safetensors", {"images": 255 - clean.images[index], "index": index}, {})
    monkeypatch.setattr(radioactive_train, "Train", Recorder)
    options: Any = SimpleNamespace(marks="mark", split="train")
    clean = replace(clean, fingerprint=fingerprint(clean.images, clean.labels))
    radioactive_train.RadioactiveTrain(options).run(Surroundings(lambda split: clean))  # type: ignore[arg-type]
    assert torch.equal(seen["test"], clean.images)
    changed = (seen["train"] != clean.images).flatten(1).any(1).nonzero()[:, 0]
    assert changed.tolist() == [3, 8]
    assert torch.equal(seen["train"][index], 255 - clean.images[index])
    assert known["test"] == clean.fingerprint
    assert known["train"] == fingerprint(seen["train"], clean.labels) != clean.fingerprint


# Detection


def test_alignment_undoes_a_linear_change_of_the_features() -> None:
    marking_space, change, weights = gaussian(50, 4), gaussian(4, 4, seed=1), gaussian(3, 4, seed=2)
    found, residual = aligned(weights @ torch.linalg.inv(change).T, marking_space @ change, marking_space)
    assert torch.allclose(found, weights, atol=1e-10) and residual == pytest.approx(0, abs=1e-20)


def test_alignment_gives_the_same_logits_where_the_features_are_redundant() -> None:
    """As many images as there are dimensions twice over, and some features that are always 0."""
    marking_space = torch.nn.functional.pad(gaussian(10, 6), (0, 3))
    tested, weights = marking_space[:, :6] @ gaussian(6, 5, seed=1), gaussian(3, 5, seed=2)
    found, _ = aligned(weights, tested, marking_space)
    assert torch.allclose(marking_space @ found.T, tested @ weights.T, atol=1e-10)
    assert (found[:, 6:].abs() < 1e-12).all()


def test_a_network_with_the_carriers_in_its_head_is_detected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tested network has the marking network's features in other coordinates, weighed by the carriers."""
    carriers, change = directions(3, 6, torch.Generator().manual_seed(1)), gaussian(6, 6, seed=4)
    head = nn.Linear(6, 3).requires_grad_(False)
    encoders = {"net": nn.Identity().eval(), "marker": nn.Tanh().eval()}
    features = {encoders["marker"]: gaussian(40, 6), encoders["net"]: gaussian(40, 6) @ change}
    recipe = SimpleNamespace(
        stages={
            "net": SimpleNamespace(views=None),
            "marker": SimpleNamespace(views=None),
            "mark": SimpleNamespace(of="marker"),
        }
    )
    monkeypatch.setattr(
        radioactive_detect,
        "trained",
        lambda ctx, stage, data: SimpleNamespace(encoder=encoders[stage], head=SimpleNamespace(net=head)),
    )
    monkeypatch.setattr(radioactive_detect, "extract", lambda ctx, network, data, views: features[network])
    (tmp_path / "mark").mkdir()
    save(tmp_path / "mark" / "marks.safetensors", {"carriers": carriers}, {})

    def tested(rows: Tensor) -> dict[str, float]:
        """The metrics when the head's weights are these rows (3, 6) in the marking network's coordinates."""
        head.weight.data = (rows @ torch.linalg.inv(change).T).float()
        options = radioactive_detect.RadioactiveDetect.Options(
            kind="radioactive_detect", of="net", marks="mark"
        )
        ctx: Any = context(
            tmp_path, data=lambda split: None, recipe=recipe, of=lambda stage: tmp_path / stage
        )
        return radioactive_detect.RadioactiveDetect(options).run(ctx).metrics

    assert tested(2 * carriers)["cosine"] == pytest.approx(1, abs=1e-4)
    assert tested(2 * carriers)["residual"] == pytest.approx(0, abs=1e-9)
    other = directions(3, 6, torch.Generator().manual_seed(5))
    assert tested(other)["log10_p"] == pytest.approx(float(detection(other, carriers)[1]), abs=1e-3)


SMALL = """\
paper: sablayrolles2020-radioactive-data
title: Marked digits
tier: cpu
claim: own
dataset: digits
stages:
  marker:
    kind: train
    method: {name: cross_entropy}
    network: {backbone: mlp, hidden: [64], head: {kind: linear}}
    views: {policy: digits}
    epochs: 4
    batch: {size: 64}
    optimizer: {name: sgd, lr: 0.1, momentum: 0.9}
  mark:
    kind: radioactive_marks
    of: marker
    percent: 100
    views: {policy: digits}
    optimizer: {name: adam, lr: 0.1}
    steps: 30
    radius: 40
"""


def test_a_linear_classifier_of_marked_digits_gives_itself_away(
    tmp_path: Path, write_recipe: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.linear_model import LogisticRegression

    monkeypatch.setattr(paths, "runs_dir", lambda: tmp_path / "runs")
    write_recipe("small", SMALL)
    run = Run(load("small"), seed=0, setup=set_up("cpu", "fp32"))
    assert run.execute().metrics["mark.shift"] > 0
    folder = next((tmp_path / "runs").rglob("marks.safetensors")).parent
    marks, (weights, _) = (
        read(folder / "marks.safetensors")[0],
        read(folder.parent / "marker" / "output.safetensors"),
    )
    data = load_data("digits", "train")
    found = []
    for images in (data.images, data.images.index_copy(0, marks["index"], marks["images"])):
        pixels = (images.flatten(1).float() / 255 - data.mean[0]) / data.std[0]
        features = (pixels @ weights["encoder.net.1.weight"].T + weights["encoder.net.1.bias"]).relu()
        fitted = LogisticRegression(max_iter=300).fit(features.numpy(), data.labels.numpy())
        found.append(float(detection(torch.from_numpy(fitted.coef_), marks["carriers"])[1]))
    assert found[1] < -4 < found[0]


def test_carriers_are_those_of_the_seed() -> None:
    a, b = (directions(3, 5, generator(key(seed, "mark", "carriers"))) for seed in (0, 1))
    assert (a * b).sum(1).abs().max() < 0.999 and a.norm(dim=1).tolist() == pytest.approx([1, 1, 1])
