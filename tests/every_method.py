"""A small stage of every method: its options, and the network, samples and further data that it is made for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from repro.components import names, options_for
from repro.engine import rehearse
from repro.engine.draws import Draws
from repro.engine.method import call
from tests.test_methods_noncontrastive import normal

KEPT = 40  # samples of a data set
WHEN = {"step": 0, "total": 9, "epoch": 0, "epochs": 3, "per_epoch": 3, "turn": 0}
ALL = sorted(names(("methods",)))
PREDICTOR = {"kind": "mlp", "hidden": 32, "out": 16, "norm": True}
OPTIONS: dict[str, dict[str, Any]] = {  # without an entry: the defaults
    "byol": {"predictor": PREDICTOR, "momentum": {"start": 0.5}},
    "clusterns": {"clusters": 3},
    "crd": {"negatives": 9, "dim": 4},
    "dec": {"interval": 2, "starts": 1},
    "deepcluster": {"clusters": 10, "starts": 1},
    "deepcluster_v2": {"prototypes": [10, 10]},
    "dino": {"prototypes": 32, "momentum": {"start": 0.9, "end": 1.0}},
    "fastsiam": {"predictor": PREDICTOR},
    "mae": {"width": 8, "depth": 1, "heads": 2},
    "massive_noise": {"alpha": 1},
    "moco": {"queue": 256, "momentum": {"start": 0.9}},
    "moco_v3": {"predictor": PREDICTOR, "momentum": {"start": 0.9}},
    "msn": {"prototypes": 32, "momentum": {"start": 0.9, "end": 1.0}},
    "nested_dropout": {"sigma": 8.0, "keep": 8},
    "nnclr": {"predictor": PREDICTOR, "queue": 256},
    "npid": {"negatives": 1000, "temperature": 0.2},
    "prd": {"projection": {"kind": "mlp", "hidden": 16, "out": 8}, "tasks": 2, "task": 0},
    "relational": {"hidden": 16},
    "ressl": {"queue": 256, "momentum": {"start": 0.9}},
    "simsiam": {"predictor": PREDICTOR},
    "swav": {"prototypes": 30},
    "tico": {"momentum": {"start": 0.9, "end": 1.0}},
    "vae": {"decoder": {"kind": "perceptron", "hidden": [8], "out": 64}},
    "vat": {"epsilon": 0.5},
    "wmse": {"size": 64},
}


def mlp(*hidden: int, **head: Any) -> dict[str, Any]:
    """A perceptron with that head."""
    return {"network": {"backbone": "mlp", "hidden": hidden, "head": head}}


def unlabelled(**views: Any) -> dict[str, Any]:
    return {"streams": {"unlabelled": {"ratio": 3, "views": views}}}


def grouped(**sampler: Any) -> dict[str, Any]:
    return {"data": {"sampler": sampler}}


LOGITS = mlp(32, kind="linear")
CODER = {"backbone": "mlp", "hidden": [32, 4], "last": "linear"}
VIT = {
    "backbone": "vit",
    "patch": 2,
    "width": 16,
    "depth": 1,
    "heads": 2,
    "head": {"kind": "linear", "out": 16},
}
CONV4 = {"backbone": "conv4", "widths": [8, 8, 8, 16], "last": "global"}
TEXT = {"width": 16, "layers": 1, "head_width": 8, "dropout": 0.0}
SENTENCES = {
    "network": {"backbone": "text_transformer", **TEXT},
    "data": {"set": "sentences"},
    "views": {"kind": "tokens", "length": 6, "count": 2},
}
SPECIAL: dict[str, dict[str, Any]] = {  # what differs from a stage of views of images and a perceptron
    "autoencoder": {"network": {**CODER, "head": {"kind": "perceptron", "hidden": [32], "out": 64}}},
    "clusterns": SENTENCES,
    "crd": {**LOGITS, "networks": {"teacher": {"of": "teacher"}}},
    "cross_entropy": LOGITS,
    "dclr": {**SENTENCES, "networks": {"teacher": {"of": "text_teacher"}}},
    "dec": {"network": {**CODER, "head": {"kind": "centres", "clusters": 3}}},
    "deep_infomax": {"network": {**CONV4, "head": None}},
    "deepcluster": mlp(32, kind="linear", out=10),
    "fastsiam": {"views": {"policy": "digits", "count": 4}},
    "fixmatch": {**LOGITS, **unlabelled(count=2)},
    "gdn": {
        "data": {"set": "random_geometric"},
        "network": {"backbone": "gdn", "layers": 2, "channels": 2},
        "views": {"kind": "diffusion", "coefficients": [0.5, 0.5], "signals": 5},
    },
    "kd": {**LOGITS, "networks": {"teacher": {"of": "teacher"}}},
    "laf": {
        **LOGITS,
        "networks": {"everything": {"of": "everything"}, "forgotten": {"of": "forgotten"}},
        "streams": {"remain": {"views": {}}},
    },
    "laf_vae": {"freeze": "encoder", **mlp(32, kind="variational", hidden=[8], latent=4)},
    "mae": {"network": VIT},
    "massive_noise": LOGITS,
    "matching": grouped(name="episodes", way=3, shots=1, queries=2),
    "msn": {"network": VIT},
    "nested_dropout": LOGITS,
    "next_token": {
        **SENTENCES,
        "network": {"backbone": "gpt", **TEXT},
        "views": {"kind": "tokens", "length": 6, "count": 1},
    },
    "npair": grouped(name="classes", each=2),
    "prd": mlp(32, kind="cosine"),
    "rotation": mlp(32, kind="linear", out=4),
    "simcse": SENTENCES,
    "triplet": grouped(name="classes", each=3),
    "vat": {**LOGITS, **unlabelled(count=1)},
}
EARLIER = {  # the stages whose networks those use, and their methods
    "teacher": "cross_entropy",
    "text_teacher": "simcse",
    "everything": "laf_vae",
    "forgotten": "laf_vae",
}


def values(name: str, **changes: Any) -> dict[str, Any]:
    """A `train` stage of the method as a recipe writes it; the network's head gives 16 numbers where it may."""
    method = {"name": name, **OPTIONS.get(name, {})}
    least, most = options_for(("methods",), "name", method).views_taken  # type: ignore[attr-defined]
    return {
        "kind": "train",
        "method": method,
        **mlp(32, kind="linear", out=16),
        "views": {"policy": "digits", "count": max(least, min(2, most or 2))},
        "epochs": 1,
        "batch": {"size": 64},
        "optimizer": {"lr": 0.1},
        **SPECIAL.get(name, {}),
        **changes,
    }


def stages(name: str, **changes: Any) -> dict[str, dict[str, Any]]:
    """Those of a recipe that has the method's as `pretrain`: after those that it needs."""
    train = values(name, **changes)
    earlier = [network["of"] for network in train.get("networks", {}).values()]
    return {**{stage: values(EARLIER[stage]) for stage in earlier}, "pretrain": train}


def of_images(name: str) -> bool:
    """Whether the method learns from views of single images, and nothing else."""
    return values(name).keys().isdisjoint(("data", "streams", "networks"))


def stage(name: str, **options: Any) -> tuple[Any, dict[str, Any]]:
    """The options of a small stage of the method, and those of all stages beside it."""
    read = {key: options_for(("stages",), "kind", o) for key, o in stages(name).items()}
    train: Any = read["pretrain"]
    chosen = {**OPTIONS.get(name, {}), "name": name, **options}
    return train.model_copy(update={"method": options_for(("methods",), "name", chosen)}), read


def small(name: str, **options: Any) -> Any:
    """A method in float64 with a small network, ready for its first step."""
    torch.manual_seed(0)
    train, beside = stage(name, **options)
    method = rehearse.method(train, beside, "digits").double()
    table = rehearse.stand_in(train, "digits")
    call(method.begin, {"samples": KEPT, "table": table.having(label=torch.arange(KEPT) % 2)})
    method = method.double()
    call(method.before_step, {**WHEN, "features": lambda: normal(KEPT, method.encoder.dim)})
    return method


def inputs(name: str, samples: int, views: int | None = None) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Random views, or tokens, of that many rows of a batch, and their facts."""
    train, _ = stage(name)
    if views is not None:
        train = train.model_copy(update={"views": train.views.model_copy(update={"count": views})})
    zeros, facts = rehearse.one_row(train, "digits")
    random = {key: normal(samples, *x.shape[1:]) for key, x in zeros.items()}
    tokens = {
        key: 1 + (100 * random[key].abs()).long() for key, x in zeros.items() if not x.is_floating_point()
    }
    shown = {}
    for key, x in facts.items():
        rows = torch.arange(samples).view(-1, *[1] * (x.dim() - 1)).expand(-1, *x.shape[1:])
        shown[key] = rows if key.endswith("index") else rows % 2
    return {**random, **tokens}, shown


def embedded(method: Any, given: dict[str, Tensor], facts: dict[str, Tensor]) -> dict[str, Tensor]:
    """What the method computes of a batch; what it draws is always the same."""
    torch.manual_seed(1)
    return call(method.embed, {**WHEN, "draws": drawn(facts), **given, **facts})  # type: ignore[no-any-return]


def loss_of(method: Any, given: dict[str, Tensor], facts: dict[str, Tensor]) -> Tensor:
    """The loss of a batch."""
    found = embedded(method, given, facts)
    loss = call(method.loss, {**WHEN, "draws": drawn(facts), **facts, **found})
    return loss["loss"] if isinstance(loss, dict) else loss  # type: ignore[no-any-return]


def drawn(facts: dict[str, Tensor]) -> Draws:
    return Draws(0, 0, len(facts["index"]), torch.device("cpu"))
