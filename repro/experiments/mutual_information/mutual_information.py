"""Neural estimates of the mutual information of correlated Gaussians, against the closed form.

MINE (Belghazi et al. 2018, arXiv 1801.04062), NWJ and InfoNCE (van den Oord et al. 2018, 1807.03748; Tschannen et
al. 2019, 1907.13625), RPC (Tsai et al. 2021, 2103.11275), DEMI (Sordoni et al. 2021, 2106.13401).
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn

from repro.engine import checkpoint, optim
from repro.engine.loop import Loop
from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.mutual_information.information.bounds import log_mean_exp
from repro.experiments.mutual_information.information.estimators import ESTIMATORS, Estimator
from repro.experiments.mutual_information.information.gaussians import Gaussians, correlation
from repro.experiments.mutual_information.mutual_information_options import MutualInformationOptions
from repro.keys import generator, key

LOGGED = 50  # points of the curve in a whole run


class MutualInformation(Stage):
    """Trains a critic for each of `estimators` on fresh samples, then estimates I(x; y) on `trials` fresh batches.

    The Gaussians have `dim` coordinates and the correlation `rho`, or as much as gives `information` nats; for
    `shared` and `dependent` see `Gaussians`. Each x meets `candidates` y in training, its own among them (default:
    the whole batch), and InfoNCE does so always; the other estimates use all pairs of a batch. With `of` the
    critics are at first those of an earlier stage with the same estimators.

    Metrics in nats: `information`, the truth; `<estimator>`, mean over the batches (MINE: one logarithm over all);
    `<estimator>_exact`, the same with the true density ratio as critic; `gap_<estimator>`, the estimate less the
    truth, from which the mean log ratio of the same pairs is taken as a control variate; `sd_<estimator>`, the
    standard deviation of one batch's estimate; `max_<estimator>`, the largest. `rpc_mean` inverts the batch's mean
    critic, as the authors' code does, `rpc` each value. `demi` is I(x'; y) + I(x; y|x'), x' the first half of x,
    with negatives reweighted by importance; `demi_bound` has them drawn from p(y|x').
    """

    Options = MutualInformationOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        source = Gaussians(o.dim, correlation_of(o), o.shared, o.dependent)
        estimators: dict[str, Estimator] = {}
        for name in o.estimators:
            torch.manual_seed(key(ctx.seed, ctx.stage, "weights", name))
            estimators[name] = ESTIMATORS[name](o, source)
        nets = nn.ModuleDict(estimators).to(ctx.device)
        if o.of:
            nets.load_state_dict(checkpoint.load(ctx.of(o.of) / "output.safetensors")[0])
        optimizer = optim.build(o.optimizer, nets.parameters())
        loop = Loop(ctx, o.steps, {"nets": nets, "optimizer": optimizer}, o.samples)
        every = max(1, o.steps // LOGGED)
        for step in loop:
            random = generator(key(ctx.seed, ctx.stage, "train", step))
            x, y = draw(source, random, o.samples, ctx.device)
            optimizer.zero_grad()
            losses = {name: net.loss(x, y) for name, net in estimators.items()}
            total = torch.stack([loss.double() for loss in losses.values()]).sum()
            total.backward()
            optimizer.step()
            if step % every == 0 or step == o.steps - 1:
                loop.log(loss=total, **{f"{name}_loss": loss for name, loss in losses.items()})
        if ctx.setup.main:
            checkpoint.save(ctx.folder / "output.safetensors", nets.state_dict(), {})
        return Outcome(evaluate(estimators, source, ctx, o), loop.curve, loop.facts)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        small = {"samples": min(options.samples, 16), "steps": 3, "trials": 2, "width": 16}
        if options.candidates:
            small["candidates"] = min(options.candidates, small["samples"])
        return options.model_copy(update=small)


def correlation_of(options: Any) -> float:
    return options.rho if options.rho is not None else correlation(options.information, options.dim)


def draw(source: Gaussians, random: torch.Generator, n: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """x, y (n, d) on the device; drawn on the CPU, so that they are the same everywhere."""
    x, y = source.sample(n, random)
    return x.to(device), y.to(device)


@torch.no_grad()
def evaluate(
    estimators: dict[str, Estimator], source: Gaussians, ctx: Context, options: Any
) -> dict[str, float]:
    """The metrics, from `trials` fresh batches."""
    found = defaultdict(list)
    for trial in range(options.trials):
        random = generator(key(ctx.seed, ctx.stage, "test", trial))
        x, y = draw(source, random, options.samples, ctx.device)
        found["truth"].append(source.log_ratio(x, y).diagonal().mean())
        for estimator in estimators.values():
            for name, value in estimator.values(x, y, random).items():
                found[name].append(value)
    values = {name: torch.stack(batches).double() for name, batches in found.items()}
    truth = values.pop("truth").mean().item()
    metrics = {"information": source.information}
    for name, batches in values.items():
        if name.startswith("log_"):
            continue
        metrics[name] = batches.mean().item()
        if f"log_{name}" in values:
            logs = values[f"log_{name}"]
            metrics[name] += (logs.mean() - log_mean_exp(logs)).item()
        metrics[f"gap_{name}"] = metrics[name] - truth
        metrics[f"sd_{name}"] = batches.std().item()
        metrics[f"max_{name}"] = batches.max().item()
    return metrics
