"""What public codes do otherwise than the papers: options of the methods, each against a transcription."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from repro.engine.method import unit
from repro.keys import generator
from repro.methods.contrastive.dcl import fisher_weights
from repro.methods.parts.whitening import whiten
from repro.methods.redundancy_reduction.wmse import WMSE
from tests.test_methods import sphere
from tests.test_methods_contrastive import make, nce
from tests.test_methods_noncontrastive import DIM, made, normal


def test_the_second_direction_of_moco_may_meet_the_keys_of_the_first() -> None:
    """lightly: the queue takes the first direction's keys before the second asks it; the oldest make room."""
    method = make("moco", queue=6, symmetric=True, second_sees_first=True)
    q, k, rows = sphere(2, 2, 5), sphere(2, 2, 5, seed=1), list(method.queue.rows)
    later = [*k[:, 0], *rows[2:]]
    slow = [nce(q[i, v], k[i, v], (rows, later)[v], 0.2) for i in range(2) for v in range(2)]
    assert method.loss(q, k).item() == pytest.approx(sum(slow) / 4, rel=1e-12)
    method.after_step(k=k, step=0, total=2)
    torch.testing.assert_close(method.queue.rows, torch.stack([*k[:, 0], *k[:, 1], *rows[4:]]))


@pytest.mark.parametrize(("label", "options"), [("moco", {"queue": 6, "symmetric": True}), ("dcl", {})])
def test_a_scale_multiplies_the_loss(label: str, options: dict[str, Any]) -> None:
    embedded = [sphere(4, 2, 5)] if label == "dcl" else [sphere(4, 2, 5), sphere(4, 2, 5, seed=1)]
    plain, twice = make(label, **options), make(label, scale=2.0, **options)
    twice.load_state_dict(plain.state_dict())
    assert twice.loss(*embedded).item() == pytest.approx(2 * plain.loss(*embedded).item(), rel=1e-12)


def test_the_weights_of_dclw_may_be_stopped() -> None:
    """lightly: the same loss, and the gradient of the positives is −w/τ times that of the cosine alone."""
    z = sphere(5, 2, 5).requires_grad_()
    flowing, stopped, plain = (
        make("dcl", weighted_sigma=s, stop_weights=stop).loss(z)
        for s, stop in ((0.5, False), (0.5, True), (None, None))
    )
    assert flowing.item() == stopped.item()
    (with_, without, none) = (torch.autograd.grad(loss, z)[0] for loss in (flowing, stopped, plain))
    more = (fisher_weights(z.detach(), 0.5) - 1)[:, None, None]
    torch.testing.assert_close(without, none - more * z.detach().flip(1) / 0.1 / 5)
    assert (with_ - without).abs().max() > 1e-3


def test_wmse_may_stop_the_later_view() -> None:
    """solo-learn: the same loss; all of its gradient is that of the first view's whitening."""
    z = normal(12, 2, DIM).requires_grad_()
    losses, gradients = [], []
    for stop in (False, True):
        torch.manual_seed(1)
        loss = made(WMSE, size=12, stop_second=stop).loss(z)
        losses.append(loss.item())
        gradients.append(torch.autograd.grad(loss, z)[0])
    assert losses[0] == losses[1]
    assert gradients[1][:, 1].abs().max() == 0
    target = unit(whiten(z[:, 1])).detach()
    slow = (2 - 2 * (unit(whiten(z[:, 0])) * target).sum(-1)).mean()
    torch.testing.assert_close(gradients[1][:, 0], torch.autograd.grad(slow, z)[0][:, 0])


def test_the_student_of_ressl_may_see_both_views() -> None:
    seen: list[int] = []
    views = torch.randn(3, 2, 5, dtype=torch.float64, generator=generator(1))
    one, both = make("ressl", queue=9), make("ressl", queue=9, both_views=True)
    both.load_state_dict(one.state_dict())
    both.encoder.register_forward_hook(lambda module, x, y: seen.append(len(y)))
    torch.testing.assert_close(both.embed(views), one.embed(views))
    assert seen == [6]
