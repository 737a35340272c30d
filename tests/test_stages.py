"""Evaluation against slow or independent versions, and its guards."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from repro.components import load, options_for
from repro.engine import checkpoint, state
from repro.engine.features import accuracy, frozen
from repro.engine.fit import embedding_std
from repro.engine.run import Run
from repro.engine.setup import set_up
from repro.engine.stage import capped
from repro.files import file_digest
from repro.measures.knn import knn_votes
from repro.networks.resnet import ResNet
from repro.networks.resnet_cifar import SmallResNet
from repro.networks.small_alexnet import SmallAlexNet
from repro.recipes.load import load as load_recipe
from tests.conftest import Write
from tests.test_recipes import GOOD


def test_knn_votes_are_those_of_a_slow_count() -> None:
    g = torch.Generator().manual_seed(0)
    bank, queries = (nn.functional.normalize(torch.randn(n, 6, generator=g), dim=1) for n in (40, 9))
    labels = torch.randint(0, 3, (40,), generator=g)
    votes = knn_votes(bank, labels, queries, k=7, temperature=0.1, classes=3)
    for q, query in enumerate(queries):
        cosines = sorted(
            ((float(query @ x), int(c)) for x, c in zip(bank, labels, strict=True)), reverse=True
        )
        first = cosines[0][0]
        slow = [
            sum(math.exp((s - first) / 0.1) for s, c in cosines[:7] if c == wanted) for wanted in range(3)
        ]
        slow = [vote or -math.inf for vote in slow]
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
    assert embedding_std(x).item() == pytest.approx(1, abs=0.01)
    assert embedding_std(torch.ones(50, 2, 16)).item() == 0


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


def test_heads_can_end_in_batchnorm_and_drop_biases() -> None:
    head = load(("networks.heads",), "mlp")

    def shapes(**options: object) -> list[tuple[int, ...]]:
        o = head.Options.model_validate({"kind": "mlp", "hidden": 8, "out": 4, "norm": True, **options})
        return [tuple(p.shape) for p in head(o, 6, 10).parameters()]

    assert shapes() == [(8, 6), (8,), (8,), (4, 8), (4,)]  # no bias before BatchNorm, one at the end
    assert shapes(out_norm="affine") == [(8, 6), (8,), (8,), (4, 8), (4,), (4,)]
    assert shapes(out_norm="plain") == [(8, 6), (8,), (8,), (4, 8)]
    assert shapes(bias=True, out_bias=False) == [(8, 6), (8,), (8,), (8,), (4, 8)]
    assert shapes(layers=3, norm=False, bias=False) == [(8, 6), (8, 8), (4, 8), (4,)]


@pytest.mark.parametrize(("name", "millions"), [("resnet20", 0.27), ("resnet56", 0.85), ("resnet110", 1.7)])
def test_small_resnets_have_the_sizes_of_the_paper(name: str, millions: float) -> None:
    """He et al. 2016, Table 6; the classifier and the projections, which differ, are a few thousand weights."""
    network = SmallResNet(SmallResNet.Options(backbone=name), (3, 32, 32))
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.035)
    assert network.eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 64)


def test_the_small_alexnet_has_the_known_layers() -> None:
    with torch.device("meta"):
        network = SmallAlexNet(SmallAlexNet.Options(backbone="small_alexnet"), (3, 64, 64))
    assert [p.shape for p in network.full.parameters() if p.ndim == 2] == [(4096, 9408), (4096, 4096)]
    assert [p.shape[0] for p in network.convolutions.parameters() if p.ndim == 4] == [96, 192, 384, 384, 192]


def test_whole_numbers_are_capped_wherever_they_stand() -> None:
    big = options_for(
        ("networks",),
        "backbone",
        {"backbone": "mlp", "hidden": [9, 2], "norm": True, "head": {"kind": "mlp", "hidden": 9, "out": 3}},
    )
    small = capped(big, 4)
    assert small.hidden == (4, 2)  # type: ignore[attr-defined]
    assert (small.head.hidden, small.head.out) == (4, 3)  # type: ignore[attr-defined]
    assert small.norm is True and small.backbone == "mlp"  # type: ignore[attr-defined]


def test_neighbours_can_be_those_of_the_head_s_outputs(write_recipe: Write) -> None:
    """A head that gives every image the same has no neighbours to tell: its accuracy is that of a guess."""
    write_recipe("r", GOOD.replace("of: pretrain", "of: pretrain, features: head"))
    run = Run(load_recipe("r"), 0, set_up("cpu", "fp32"))
    run.execute()
    output = run.folder / "pretrain" / "output.safetensors"
    tensors, facts = checkpoint.load(output)
    constant = {name: torch.zeros_like(x) if name.startswith("head") else x for name, x in tensors.items()}
    checkpoint.save(output, constant, facts)
    (run.folder / "knn" / "outcome.json").unlink()
    done = state.read(run.folder / "pretrain" / "outcome.json", state.Done)
    done.files[output.name] = file_digest(output)
    state.write(run.folder / "pretrain" / "outcome.json", done)
    assert run.execute().metrics["knn.top1"] < 20
