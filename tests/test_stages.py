"""Evaluation against slow or independent versions, and its guards."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from repro.components import load
from repro.engine.features import accuracy, frozen
from repro.engine.fit import spread
from repro.networks.resnet import ResNet
from repro.stages.knn import knn_votes


def test_knn_votes_are_those_of_a_slow_count() -> None:
    g = torch.Generator().manual_seed(0)
    bank, queries = (nn.functional.normalize(torch.randn(n, 6, generator=g), dim=1) for n in (40, 9))
    labels = torch.randint(0, 3, (40,), generator=g)
    votes = knn_votes(bank, labels, queries, k=7, temperature=0.1, classes=3)
    for q, query in enumerate(queries):
        cosines = sorted(
            ((float(query @ x), int(c)) for x, c in zip(bank, labels, strict=True)), reverse=True
        )
        slow = [sum(math.exp(s / 0.1) for s, c in cosines[:7] if c == wanted) for wanted in range(3)]
        assert votes[q].tolist() == pytest.approx(slow, rel=1e-4)


def test_accuracy_counts_the_first_and_the_first_five() -> None:
    logits = torch.arange(8.0).repeat(4, 1)  # always ranks 7, 6, 5, 4, 3 first
    assert accuracy(logits, torch.tensor([7, 7, 4, 0])) == {"top1": 50.0, "top5": 75.0}
    assert accuracy(torch.eye(3), torch.tensor([0, 1, 1])) == {"top1": pytest.approx(200 / 3)}


def test_the_guard_refuses_a_network_that_could_change() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    with pytest.raises(RuntimeError, match="not frozen"), frozen(network):
        pass
    network.eval().requires_grad_(False)
    with frozen(network):
        network(torch.randn(3, 2))
    with pytest.raises(RuntimeError, match="changed"), frozen(network):
        network[0].bias.data += 1e-3


def test_spread_is_one_on_the_sphere_and_zero_in_a_point() -> None:
    x = torch.randn(4000, 2, 16, generator=torch.Generator().manual_seed(0))
    assert spread(x).item() == pytest.approx(1, abs=0.01)
    assert spread(torch.ones(50, 2, 16)).item() == 0


@pytest.mark.parametrize(
    ("name", "millions", "dim"),
    [("resnet18", 11.17, 512), ("resnet34", 21.28, 512), ("resnet50", 23.50, 2048)],
)
def test_cifar_resnets_have_the_known_sizes(name: str, millions: float, dim: int) -> None:
    """Parameters without the classifier, as counted for the CIFAR stem in public implementations."""
    network = ResNet(ResNet.Options(backbone=name, stem="cifar"), (3, 32, 32))
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.01)
    assert network.dim == dim
    maps: list[torch.Size] = []
    network.net.layer1.register_forward_hook(lambda module, i, out: maps.append(out.shape[2:]))
    assert network.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, dim)
    assert maps == [(32, 32)]  # neither the stem nor a pooling layer shrinks the image


def test_heads_have_the_stated_layers() -> None:
    head = load(("networks.heads",), "mlp")
    plain = head(head.Options(kind="mlp", hidden=2048, out=128), 2048, 10)
    assert [tuple(p.shape) for p in plain.parameters()] == [(2048, 2048), (2048,), (128, 2048), (128,)]
    linear = load(("networks.heads",), "linear")
    assert linear(linear.Options(kind="linear"), 16, 7)(torch.zeros(2, 16)).shape == (2, 7)
