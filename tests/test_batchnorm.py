"""BatchNorm that follows a span, against torch's own, in every form that torch's has."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from repro.keys import generator
from repro.networks.batchnorm import convert
from repro.networks.layout import channels_last


@pytest.mark.parametrize("tracking", [True, False])
@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("kind", [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d])
def test_one_group_is_torchs_batchnorm(
    kind: type[nn.Module], affine: bool, momentum: float | None, tracking: bool
) -> None:
    theirs = kind(3, affine=affine, momentum=momentum, track_running_stats=tracking)
    ours = deepcopy(theirs)
    span = convert(ours)
    span.groups = (6,)
    shape = {nn.BatchNorm1d: (6, 3), nn.BatchNorm2d: (6, 3, 2, 2), nn.BatchNorm3d: (6, 3, 2, 2, 2)}[kind]
    for step in range(4):
        x = torch.randn(shape, generator=generator(step)) + step
        assert torch.allclose(ours(x), theirs(x), atol=1e-6)
        span.update_running_statistics()
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for one, other in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    x = torch.randn(shape, generator=generator(9))
    assert torch.allclose(ours.eval()(x), theirs.eval()(x), atol=1e-6)


def test_statistics_without_momentum_are_means_over_the_steps() -> None:
    layer = nn.BatchNorm1d(2, momentum=None)
    span = convert(layer)
    span.groups = (4, 4)
    steps = torch.randn(5, 8, 2, generator=generator(1))
    for x in steps:
        layer(x)
        span.update_running_statistics()
    assert torch.allclose(layer.running_mean, steps.mean((0, 1)), atol=1e-6)


def test_weights_of_any_convolution_are_channels_last() -> None:
    net = nn.Sequential(nn.Conv1d(2, 3, 3), nn.Conv2d(2, 3, 3), nn.Conv3d(2, 3, 3), nn.Linear(2, 3))
    before = [p.clone() for p in net.parameters()]
    channels_last(net)
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    assert net[1].weight.is_contiguous(memory_format=torch.channels_last)
    assert net[2].weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert net[0].weight.is_contiguous() and net[3].weight.is_contiguous()
