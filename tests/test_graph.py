"""Networks and methods on graphs, against slow transcriptions, and the division of a batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor

from repro.components import load, options_for
from repro.data.table import Table
from repro.engine import optim
from repro.engine.budget import Stopped
from repro.engine.fit import fit
from repro.engine.method import Method
from repro.engine.setup import Setup
from repro.errors import UserError
from repro.keys import generator
from repro.networks.build import Network, build
from repro.networks.gcn import NodeDropout, normalised
from repro.options import Batch, Optimizer, TrainingOptions
from tests.fitting import After, context

NODES, WORDS, CLASSES = 23, 11, 3


def graph() -> Table:
    """Of 23 nodes, of which the second has neither words nor edges, and 19 belong to the split."""
    random = generator(3)
    features = (torch.rand(NODES, WORDS, generator=random) < 0.3).float()
    features[1] = 0
    pairs = torch.combinations(torch.arange(NODES)).T
    edges = pairs[:, (torch.rand(pairs.shape[1], generator=random) < 0.15) & (pairs != 1).all(0)]
    node = torch.randperm(NODES, generator=random)[:19]
    return Table(
        fields={"node": node, "label": node % CLASSES},
        name="g",
        split="train",
        shape=(WORDS,),
        classes=CLASSES,
        facts={"features": features, "edges": edges},
    )


def gcn(hidden: tuple[int, ...] = (5,), dropout: float = 0.5) -> Network:
    head = {"kind": "linear", "bias": False, "glorot": True}
    options = options_for(
        ("networks",), "backbone", {"backbone": "gcn", "hidden": hidden, "dropout": dropout, "head": head}
    )
    torch.manual_seed(1)
    return build(options, (WORDS,), CLASSES)


def adjacency(table: Table) -> Tensor:
    """(N, N), D̃^(−1/2) (A + I) D̃^(−1/2), entry by entry."""
    found = torch.eye(NODES)
    for a, b in table.facts["edges"].T.tolist():
        found[a, b] = found[b, a] = 1
    degree = [sum(found[node].tolist()) for node in range(NODES)]
    return torch.tensor(
        [[found[a, b] / (degree[a] * degree[b]) ** 0.5 for b in range(NODES)] for a in range(NODES)]
    )


def test_normalised() -> None:
    table = graph()
    dense = normalised(table.facts["edges"].flip(0), NODES).to_dense()
    torch.testing.assert_close(dense, adjacency(table))
    assert dense[1, 1] == 1 and dense[1].sum() == 1  # a node without edges stays as it is


@pytest.mark.parametrize("hidden", [(5,), (5, 4)])
def test_gcn_is_the_formula(hidden: tuple[int, ...]) -> None:
    """Eq. 9, with the last weights in the head."""
    table, network = graph(), gcn(hidden)
    network.encoder.meet(table)  # type: ignore[operator]
    network.encoder.eval()
    x = torch.stack([row / max(1, row.sum()) for row in table.facts["features"]])
    for layer in network.encoder.layers:  # type: ignore[union-attr]
        x = (adjacency(table) @ x @ layer.weight.T).relu()
    logits = adjacency(table) @ x @ network.head.net.weight.T  # type: ignore[union-attr,operator]
    found = network.head(network.encoder(table["node"]))
    torch.testing.assert_close(found, logits[table["node"]])


def test_a_set_without_a_graph() -> None:
    with pytest.raises(UserError, match="t is no graph"):
        gcn().encoder.meet(Table(fields={}, name="t", split="train", shape=(WORDS,)))  # type: ignore[operator]


def test_weight_decay_of_the_encoder_alone() -> None:
    method = cross_entropy()
    groups = optim.groups(Optimizer(lr=0.1, weight_decay=0.5, decayed="encoder"), method)
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert decays == {
        id(p): 0.5 if name.startswith("encoder") else 0.0 for name, p in method.named_parameters()
    }


def cross_entropy(hidden: tuple[int, ...] = (5,)) -> Method:
    kind = load(("methods",), "cross_entropy")
    method: Method = kind(kind.Options.model_validate({"name": "cross_entropy"}), *gcn(hidden))
    return method.double()


def options(**views: Any) -> Any:
    training: dict[str, Any] = {
        "batch": Batch(size=8),
        "optimizer": Optimizer(name="adam", lr=0.01),
        "epochs": 4,
    }
    kind = options_for(("views.kinds",), "kind", views)
    return SimpleNamespace(views=kind, **dict(TrainingOptions(kind="train", **training)))


def trained(
    folder: Path, method: Method, table: Table, o: Any, micro: int | None, stop: int | None = None
) -> Any:
    """The losses and the final state; or why the run stopped, being asked for the `stop`-th time."""
    alone = Setup(Accelerator(cpu=True), "fp32")
    ctx = replace(context(alone, folder, After(stop) if stop is not None else None), load=lambda split: table)
    try:
        loop = fit(ctx, method, table, o, micro)
    except Stopped as reason:
        return str(reason)
    losses = torch.tensor([point["loss"] for point in loop.curve], dtype=torch.float64)
    return losses, torch.cat([t.double().flatten() for t in method.state_dict().values()])


def test_the_division_does_not_show(tmp_path: Path) -> None:
    """The nodes of a batch in one pass, three at a time, or resumed: all see the same graph with the same dropped."""
    o, table = options(kind="node"), graph()
    losses, state = trained(tmp_path / "one", cross_entropy((5, 4)), table, o, None)
    assert len(losses) == 12 and losses[0] != losses[-1]
    assert "time is up" in trained(tmp_path / "two", cross_entropy((5, 4)), table, o, 3, stop=9)
    for folder, micro in (("two", None), ("three", 3)):
        others, other = trained(tmp_path / folder, cross_entropy((5, 4)), table, o, micro)
        assert (losses - others).abs().max() < 1e-9 and (state - other).abs().max() < 1e-9


def test_dropout_of_nodes() -> None:
    """Half of the entries, others in each call and for each key, the mean kept; none in evaluation."""
    from repro.networks.dropout import convert

    layer = NodeDropout(0.5)
    masks, x = convert(torch.nn.Sequential(layer)), torch.ones(200, 50)
    seen = []
    for key in (1, 2):
        masks.begin(key, 0, 1, torch.device("cpu"))
        seen += [layer(x), layer(x)]
    masks.begin(1, 7, 3, torch.device("cpu"))
    assert torch.equal(layer(x), seen[0])  # whatever the rows of the batch
    assert all(set(y.unique().tolist()) == {0, 2} and abs(y.mean() - 1) < 0.05 for y in seen)
    assert all(abs((a * b).mean() - 1) < 0.1 for i, a in enumerate(seen) for b in seen[:i])  # independent
    assert torch.equal(layer.eval()(x), x)
