"""Supervised contrast of a perceptron on imbalanced classes, with and without a final ReLU.

Kini et al. 2024 (arXiv 2306.07960), sections 3 and 5: their experiments at a small size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repro.data.images import ImageSet
from repro.engine import optim
from repro.engine.loop import Loop
from repro.engine.method import unit
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.supervised_contrastive.imbalanced_contrast_options import ImbalancedContrastOptions
from repro.experiments.supervised_contrastive.orthogonal_frame import class_means, frame_distance
from repro.keys import key, permutation
from repro.methods.supervised.supcon import supcon_loss
from repro.networks.mlp import MLP
from repro.pictures import plot
from repro.views.augment import plain

LOGGED = 20  # points of the curve in a whole run


class ImbalancedContrast(Stage):
    """Trains two perceptrons alike on SupCon, one with a ReLU between its last layer and the normalisation.

    Of the training images, the first half of the classes keep `per_class` each and the others `per_class`/`ratio`,
    at least 2 (step imbalance). Each step draws `batch` of these and, with `bind`, adds one fixed image of
    each class (batch-binding).

    Metrics, also for `plain`, of the embeddings of the images kept: `frame_relu`, the distance of the class means
    from an orthogonal frame (see `frame_distance`); `spread_relu`, the root mean squared distance of an embedding
    from its class mean; and `top1_relu`, the test accuracy in % of the nearest class mean by cosine.
    """

    Options = ImbalancedContrastOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        data, test = ctx.data("train"), ctx.data("test")
        rows, first = imbalanced(data.labels, o.per_class, o.ratio)
        x, label = pixels(data, rows).to(ctx.device), data.labels[rows].to(ctx.device)
        nets = nn.ModuleDict({name: self._network(ctx, name, data.shape) for name in ("relu", "plain")})
        nets.to(ctx.device)
        optimizer = optim.build(o.optimizer, nets.parameters())
        loop = Loop(ctx, o.steps, {"nets": nets, "optimizer": optimizer}, o.batch)
        every = max(1, o.steps // LOGGED)
        for step in loop:
            some = permutation(key(ctx.seed, ctx.stage, "batch", step), len(x))[: o.batch]
            some = torch.cat([some, first]).unique() if o.bind else some
            losses = [supcon_loss(unit(net(x[some])), label[some], o.temperature) for net in nets.values()]
            optimizer.zero_grad()
            torch.stack(losses).sum().backward()
            optimizer.step()
            if (step + 1) % every == 0:
                frames = {f"frame_{name}": geometry(net, x, label)[1] for name, net in nets.items()}
                loop.log(loss=losses[0], loss_plain=losses[1], **frames)
        if ctx.setup.main:
            steps = [point["step"] for point in loop.curve]
            curves = {name: (steps, [point[f"frame_{name}"] for point in loop.curve]) for name in nets}
            plot(ctx.picture("frame.svg"), curves, "step", "distance from a frame", {"frame": 0.0})
        seen, answer = pixels(test, torch.arange(len(test))).to(ctx.device), test.labels.to(ctx.device)
        metrics = {}
        for name, net in nets.items():
            means, metrics[f"frame_{name}"], metrics[f"spread_{name}"] = geometry(net, x, label)
            with torch.no_grad():
                right = (net(seen) @ unit(means).T).argmax(1) == answer
            metrics[f"top1_{name}"] = 100 * right.double().mean().item()
        return Outcome(metrics, loop.curve, loop.facts)

    def _network(self, ctx: Context, name: str, shape: tuple[int, ...]) -> nn.Module:
        o = self.options
        torch.manual_seed(key(ctx.seed, ctx.stage, "weights"))  # the same for both
        body = MLP(MLP.Options(backbone="mlp", hidden=o.hidden), shape)
        last = nn.Linear(body.dim, o.dim)
        return nn.Sequential(body, last, nn.ReLU()) if name == "relu" else nn.Sequential(body, last)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"steps": 2, "batch": 8, "hidden": (16,), "dim": 16})


def imbalanced(label: Tensor, per_class: int, ratio: int) -> tuple[Tensor, Tensor]:
    """label (n,) -> the rows to keep (m,), and where among these the first of each class is (k,)."""
    classes = label.unique()
    few = max(2, per_class // ratio)
    sizes = [per_class if i < len(classes) // 2 else few for i in range(len(classes))]
    kept = [(label == c).nonzero().flatten()[:n] for c, n in zip(classes, sizes, strict=True)]
    lengths = torch.tensor([len(rows) for rows in kept])
    return torch.cat(kept), lengths.cumsum(0) - lengths


def pixels(data: ImageSet, rows: Tensor) -> Tensor:
    """The images of these rows (m, C, H, W), normalised."""
    return plain(data.images[rows], data.mean, data.std, data.images.shape[-1])


@torch.no_grad()
def geometry(net: nn.Module, x: Tensor, label: Tensor) -> tuple[Tensor, float, float]:
    """Images x (m, C, H, W), label (m,) -> the class means of the unit embeddings (k, d), `frame` and `spread`."""
    h = unit(net(x))
    means = class_means(h, label)
    spread = (h - means[label]).square().sum(1).mean().sqrt()
    return means, frame_distance(means).item(), spread.item()
