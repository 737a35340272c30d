"""Matching networks against a slow transcription, and their network."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from repro.data import derived, load
from repro.data.available import available
from repro.data.images import image_set
from repro.methods.few_shot.matching import Matching
from repro.networks.conv4 import Conv4


def matching(**options: object) -> Matching:
    return Matching(Matching.Options(name="matching", **options), nn.Identity(), nn.Identity())


def slow_matching(z: Tensor, shots: int, scale: float) -> tuple[float, float]:
    """Vinyals et al. 2016, eq. 1 with the softmax of section 2.1.1, query by query: mean −log p, and accuracy."""
    total, right, queries = 0.0, 0, 0
    for episode in z:
        support = [(w, x) for w, own in enumerate(episode) for x in own[:shots]]
        for w, own in enumerate(episode):
            for q in own[shots:]:
                cosines = [float(q @ x / q.norm() / x.norm()) for _, x in support]
                weights = [math.exp(scale * c) for c in cosines]
                p = [
                    sum(a for a, (c, _) in zip(weights, support, strict=True) if c == v)
                    for v in range(len(episode))
                ]
                p = [x / sum(weights) for x in p]
                total -= math.log(p[w])
                right += max(range(len(p)), key=p.__getitem__) == w
                queries += 1
    return total / queries, right / queries


@pytest.mark.parametrize("shots", [1, 3])
@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_matching_is_equation_1(shots: int, scale: float) -> None:
    z = torch.randn(3, 4, shots + 2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = matching(shots=shots, scale=scale).loss(z)
    loss, accuracy = slow_matching(z, shots, scale)
    assert found["loss"].item() == pytest.approx(loss, rel=1e-12)
    assert found["accuracy"].item() == pytest.approx(accuracy)


@pytest.mark.parametrize(("scale", "way"), [(1.0, 20), (10.0, 20), (10.0, 5)])
def test_a_scale_bounds_the_probability(scale: float, way: int) -> None:
    """Of features that are not negative the best that there is, each class with an axis of its own."""
    z = torch.eye(way, dtype=torch.float64)[None, :, None].expand(1, way, 2, way)
    best = math.exp(scale) / (math.exp(scale) + way - 1)
    assert matching(scale=scale).loss(z)["loss"].item() == pytest.approx(-math.log(best), rel=1e-12)


def test_an_episode_is_embedded_sample_by_sample() -> None:
    views = torch.randn(2, 3, 4, 1, 1, 2, 2)
    method = Matching(
        Matching.Options(name="matching"), nn.Sequential(nn.Flatten(), nn.Linear(4, 5)), nn.Identity()
    )
    z = method.embed(views)["z"]
    torch.testing.assert_close(z[1, 2, 3], method.encoder(views[1, 2, 3])[0])


def test_conv4_is_four_blocks() -> None:
    """64 features of a 28×28 image; 111,936 = 9·64 + 3·9·64² + 4·128 weights."""
    network = Conv4(Conv4.Options(backbone="conv4"), (1, 28, 28))
    images = torch.randn(2, 1, 28, 28)
    assert network(images).shape == (2, network.dim) == (2, 64)
    assert sum(p.numel() for p in network.parameters()) == 9 * 64 + 3 * 9 * 64**2 + 4 * 128
    torch.testing.assert_close(network(images), network.rest(network.local(images)))


def test_conv4_of_the_relational_paper() -> None:
    """8, 16, 32 and 64 channels, average pooling, one feature for each channel (essential_script.py)."""
    options = Conv4.Options(backbone="conv4", widths=(8, 16, 32, 64), pool="average", last="global")
    network, reference = Conv4(options, (3, 32, 32)), nn.Sequential()
    for layer in [m for m in network.modules() if isinstance(m, nn.Conv2d)]:
        pool = nn.AvgPool2d(2) if len(reference) < 12 else nn.AdaptiveAvgPool2d(1)
        reference.extend([layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU(), pool])
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(network(images), reference(images).flatten(1))
    assert network.dim == 64 and network.local_dim == 8


def test_conv4_pools_what_is_left_of_larger_images() -> None:
    network = Conv4(Conv4.Options(backbone="conv4"), (3, 84, 84))
    assert network(torch.randn(1, 3, 84, 84)).shape == (1, network.dim) == (1, 1600)


def test_areas_are_averaged_exactly() -> None:
    """105 to 28 pixels in subpixels: each pixel as 4×4 of them, 15×15 of them a new pixel; halves are rounded up."""
    images = np.random.default_rng(0).integers(0, 256, (3, 2, 105, 105), dtype=np.uint8)
    sums = np.kron(images.astype(int), np.ones((4, 4), int)).reshape(3, 2, 28, 15, 28, 15).sum((3, 5))
    assert (derived.averaged(images, 28) == np.floor(sums / 225 + 0.5)).all()
    assert (derived.averaged(np.full((1, 1, 4, 4), 7, np.uint8), 2) == 7).all()


def test_vinyals_characters_and_their_rotations(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 964 and 659 characters of one drawing each: an image carries its number in the upper left corner."""

    def told(name: str, split: str) -> Any:
        first, count = (0, 964) if split == "train" else (964, 659)
        images = torch.zeros(count, 1, 28, 28, dtype=torch.uint8)
        numbers = torch.arange(first, first + count)
        images[:, 0, 0, 0], images[:, 0, 0, 1] = (numbers // 256).byte(), (numbers % 256).byte()
        facts = {"name": name, "split": split, "classes": count, "mean": (0.5,), "std": (0.5,)}
        return image_set(images, torch.arange(count), **facts)

    monkeypatch.setattr(load, "load", told)
    for split, first, count in (("train", 0, 1200), ("test", 1200, 423)):
        images, labels = derived.omniglot_vinyals(split)
        assert (labels == np.arange(4 * count)).all() and images.shape == (4 * count, 1, 28, 28)
        corners = [(0, 0), (27, 0), (27, 27), (0, 27)]  # of a counter-clockwise turn
        seconds = [(0, 1), (26, 0), (27, 26), (1, 27)]
        for quarter, ((y, x), (v, u)) in enumerate(zip(corners, seconds, strict=True)):
            own = images[quarter * count : (quarter + 1) * count, 0].astype(int)
            assert (256 * own[:, y, x] + own[:, v, u] == first + np.arange(count)).all()


@pytest.mark.skipif(not available("omniglot"), reason="Omniglot is not here")
def test_the_derived_set_is_the_declared_one() -> None:
    found = load.load("omniglot_vinyals", "test")
    assert load.verify("omniglot_vinyals", "test").content == "verified"
    assert found.labels.bincount().eq(20).all() and found.classes == 1692
