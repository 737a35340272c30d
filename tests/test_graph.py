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
from repro.data.images import image_set
from repro.data.table import Table
from repro.engine import optim
from repro.engine.budget import Stopped
from repro.engine.fit import fit
from repro.engine.method import Method
from repro.engine.setup import Setup
from repro.errors import UserError
from repro.keys import generator
from repro.measures.base import Measured
from repro.networks.build import Bare, Network, build
from repro.networks.gcn import NodeDropout, normalised
from repro.options import Batch, Optimizer, TrainingOptions
from repro.views.draws import Draws
from tests.fitting import After, context

NODES, WORDS, CLASSES = 23, 11, 3
DIFFUSION = {"kind": "diffusion", "coefficients": [0.1, 0.8, 0.6], "signals": 9}


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
    options = load(("networks",), "gcn").Options.model_validate(
        {"backbone": "gcn", "hidden": hidden, "dropout": dropout, "head": head}
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


def graphs(nodes: int = 7, count: int = 12) -> Any:
    """Images of random adjacency matrices."""
    edges = torch.rand(count, nodes, nodes, generator=generator(5)).round().triu(1)
    images = (255 * (edges + edges.transpose(1, 2))).to(torch.uint8)[:, None]
    facts: dict[str, Any] = {"classes": 1, "mean": (0.5,), "std": (0.5,)}
    return image_set(images, torch.zeros(count, dtype=torch.int64), name="g", split="train", **facts)


def deconvolution(layers: int = 3, channels: int = 2) -> Method:
    network = load(("networks",), "gdn")
    kind = load(("methods",), "gdn")
    torch.manual_seed(1)
    options = network.Options.model_validate({"backbone": "gdn", "layers": layers, "channels": channels})
    method: Method = kind(kind.Options.model_validate({"name": "gdn"}), network(options, (7, 7)), Bare(49))
    method.encoder.register_forward_pre_hook(lambda _, inputs: (inputs[0].double(),))
    return method.double()


def observed(table: Any) -> dict[str, Tensor]:
    view = load(("views.kinds",), "diffusion")(options(**DIFFUSION).views)
    found: dict[str, Tensor] = view(dict(table.fields), Draws(0, 0, torch.arange(len(table))))
    return found


def test_diffusion() -> None:
    """Many signals have the covariance H²; a graph has the same ones wherever it stands."""
    table = graphs()
    view = load(("views.kinds",), "diffusion")(options(**{**DIFFUSION, "signals": 20000}).views)
    found = view.plain(dict(table.fields))
    for image, some in zip(table.images[:, 0], found, strict=True):
        a = (image > 0).float()
        a = a / max(torch.linalg.eigvals(a).real)
        h = 0.1 * torch.eye(7) + 0.8 * a + 0.6 * a @ a
        expected = h @ h / max(torch.linalg.eigvals(h @ h).real)
        torch.testing.assert_close(some, expected, atol=0.03, rtol=0)
    other = observed(table.take(torch.tensor([4, 2])))
    torch.testing.assert_close(other["views"][:, 0], observed(table)["views"][[4, 2], 0])
    assert torch.equal(other["latent"][0], (table.images[4, 0] > 0).float())


def test_gdn_is_the_formula() -> None:
    """Layer by layer, channel by channel, pair by pair; the loss pair by pair."""
    method, seen = deconvolution(), observed(graphs())
    a, steps = seen["views"][3, 0].double(), list(method.encoder.layers)  # type: ignore[arg-type]
    channels = [torch.zeros_like(a)]
    for number, step in enumerate(steps):
        made = []
        for o in range(2):
            x = torch.zeros_like(a)
            for c, s in enumerate(channels):
                x += (step.alpha[o, c] * s + step.beta[o, c] * (s @ a + a @ s) + step.gamma[o] * a) / len(
                    channels
                )
            x.fill_diagonal_(0)
            x = x if number == 2 else x / x.abs().max()
            made.append((x - step.tau[o]).clamp(min=0))
        channels = made
    score = torch.stack(channels).mean(0)
    embedded = method.embed(seen["views"].double(), seen["latent"].double())
    pairs = [(i, j) for i in range(7) for j in range(i + 1, 7)]
    torch.testing.assert_close(embedded["score"][3], torch.stack([score[i, j] for i, j in pairs]))
    losses = [
        max(0.0, float(0.75 - s if e else s - 0.25))
        for s, e in zip(
            embedded["score"].flatten().tolist(), embedded["edge"].flatten().tolist(), strict=True
        )
    ]
    loss = method.loss(**embedded)
    assert isinstance(loss, Tensor) and loss.item() == pytest.approx(sum(losses) / 12)


def test_gdn_does_not_care_for_the_order_of_the_nodes() -> None:
    method, a = deconvolution(), observed(graphs())["views"][:, 0].double()
    order = torch.tensor([3, 1, 6, 0, 2, 5, 4])
    there, here = method.encoder(a)[:, order][:, :, order], method.encoder(a[:, order][:, :, order])
    torch.testing.assert_close(here, there)


def test_the_division_of_graphs_does_not_show(tmp_path: Path) -> None:
    o, table = options(**DIFFUSION), graphs()
    o.optimizer = Optimizer(
        name="sgd", lr=0.05
    )  # Adam would enlarge the rounding of what hardly has a gradient
    losses, state = trained(tmp_path / "one", method := deconvolution(), table, o, None)
    others, other = trained(tmp_path / "two", deconvolution(), table, o, 3)
    assert (losses - others).abs().max() < 1e-9 and (state - other).abs().max() < 1e-9
    taus = torch.cat([step.tau for step in method.encoder.layers])  # type: ignore[union-attr]
    assert taus.min() == 0 and taus.max() <= 0.99  # clamped, at so large a rate


def test_network_deconvolution_sums_up() -> None:
    """A = B + B² + B³ + … gives back B."""
    kind = load(("networks",), "network_deconvolution")
    b = 0.1 * (graphs().images[:, 0] > 0).double()
    network = kind(kind.Options.model_validate({"backbone": "network_deconvolution"}), (7, 7))
    torch.testing.assert_close(network(sum(torch.matrix_power(b, k) for k in range(1, 80))), b)


def test_edges() -> None:
    """The threshold comes from the validation split, the error from the other."""
    table = graphs(nodes=3, count=2)
    truth = torch.tensor([[1, 0, 1], [0, 0, 1]])
    image = torch.zeros(2, 1, 3, 3, dtype=torch.uint8)
    image[:, 0, [0, 0, 1], [1, 2, 2]] = (255 * truth).to(torch.uint8)
    table = table.having(image=image)

    def measured(scores: list[list[float]]) -> Measured:
        x = torch.zeros(2, 3, 3)
        x[:, [0, 0, 1], [1, 2, 2]] = torch.tensor(scores)
        return Measured(table, lambda field: x.flatten(1), dict)

    measure = load(("measures",), "edges")
    known = measured([[0.9, 0.1, 0.8], [0.2, 0.0, 1.0]])
    found = measure(measure.Options.model_validate({"name": "edges", "thresholds": 11}))(
        known, measured([[0.9, 0.5, 0.8], [0.1, 0.9, 0.0]])
    )
    assert found["threshold"] == pytest.approx(0.2)
    assert found["error"] == pytest.approx(100 * 3 / 6)
    assert found["f1"] == pytest.approx(100 * (2 * 2 / 5 + 0) / 2)
