"""Negatives that are drawn from all samples of the data set."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def of_other_classes(labels: Tensor, number: Tensor, label: Tensor) -> Tensor:
    """Samples of other classes, uniformly and with replacement.

    labels (n,) of the whole set, number (N, m) in [0, 1), label (N,) -> indices (N, m) into the set, none of them of
    the row's label.
    """
    sizes, order = labels.bincount(minlength=int(label.max()) + 1), labels.argsort(stable=True)
    first, own = (sizes.cumsum(0) - sizes)[label][:, None], sizes[label][:, None]
    place = (number * (len(order) - own)).long()
    return order[place + own * (place >= first)]


def nce(own: Tensor, noise: Tensor) -> Tensor:
    """Noise-contrastive estimation (Gutmann and Hyvärinen 2010): the mean of −log h(own) − Σ log(1 − h(noise)).

    own (N, 1), noise (N, m): log of the model's density over m times the noise's -> scalar in nats per row.
    """
    return -(F.logsigmoid(own).sum(1) + F.logsigmoid(-noise).sum(1)).mean()
