"""Locatello et al. 2020: Slot Attention against plain loops, its symmetries, the decoder, the scenes, the ARI."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage, stats
from torch import Tensor

from repro.engine.budget import Deadline, Stopped
from repro.engine.stage import Outcome
from repro.experiments.other.slot_discovery import (
    SlotDiscovery,
    asymmetry,
    coloured,
    foreground_ari,
    segments,
)
from repro.experiments.other.tetrominoes import COLOURS, orientations, scenes, stencils
from repro.networks.slot_attention import PositionEmbedding, SlotAttention, SlotAutoencoder
from repro.recipes.load import load
from tests.test_engine import context

CPU = torch.device("cpu")


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def attention() -> SlotAttention:
    """A module whose every parameter matters."""
    torch.manual_seed(0)
    module = SlotAttention(5, 6, 7, iterations=3).double()
    for p in module.parameters():
        p.data += 0.3 * torch.randn_like(p)
    return module.requires_grad_(False)


# The module


def normed(x: list[float], layer: Any) -> list[float]:
    mean = sum(x) / len(x)
    variance = sum((v - mean) ** 2 for v in x) / len(x)
    scale, shift = layer.weight.tolist(), layer.bias.tolist()
    return [(v - mean) / math.sqrt(variance + 1e-3) * a + b for v, a, b in zip(x, scale, shift, strict=True)]


def linear(x: list[float], weight: Any, bias: Any = None) -> list[float]:
    added = [0.0] * len(weight) if bias is None else bias.tolist()
    return [
        sum(w * v for w, v in zip(row, x, strict=True)) + b
        for row, b in zip(weight.tolist(), added, strict=True)
    ]


def gru(x: list[float], h: list[float], cell: Any) -> list[float]:
    """Cho et al. 2014, with the reset after the product, as in torch and in Keras."""
    given, kept = linear(x, cell.weight_ih, cell.bias_ih), linear(h, cell.weight_hh, cell.bias_hh)
    d, result = len(h), []
    for i in range(d):
        reset = 1 / (1 + math.exp(-given[i] - kept[i]))
        update = 1 / (1 + math.exp(-given[d + i] - kept[d + i]))
        new = math.tanh(given[2 * d + i] + reset * kept[2 * d + i])
        result.append((1 - update) * new + update * h[i])
    return result


def algorithm_1(
    module: SlotAttention, inputs: list[list[float]], noise: list[list[float]]
) -> list[list[float]]:
    """The algorithm for one set, one number after the other."""
    mu, log_sigma = module.mu.tolist(), module.log_sigma.tolist()
    d = len(mu)
    slots = [[m + math.exp(s) * e for m, s, e in zip(mu, log_sigma, row, strict=True)] for row in noise]
    inputs = [normed(x, module.norm_inputs) for x in inputs]
    keys, values = ([linear(x, layer.weight) for x in inputs] for layer in (module.k, module.v))
    for _ in range(3):
        queries = [linear(normed(s, module.norm_slots), module.q.weight) for s in slots]
        attention = []
        for k in keys:
            scores = [math.exp(sum(a * b for a, b in zip(k, q, strict=True)) / math.sqrt(d)) for q in queries]
            attention.append([s / sum(scores) + 1e-8 for s in scores])  # over the slots
        after = []
        for j, slot in enumerate(slots):
            total = sum(row[j] for row in attention)
            mean = [
                sum(row[j] / total * v[i] for row, v in zip(attention, values, strict=True)) for i in range(d)
            ]
            state = gru(mean, slot, module.gru)
            hidden = linear(normed(state, module.norm_mlp), module.mlp[0].weight, module.mlp[0].bias)
            residual = linear([max(0.0, h) for h in hidden], module.mlp[2].weight, module.mlp[2].bias)
            after.append([a + b for a, b in zip(state, residual, strict=True)])
        slots = after
    return slots


def test_slot_attention_is_algorithm_1(attention: SlotAttention) -> None:
    inputs, noise = 3 * gaussian(2, 9, 5), gaussian(2, 4, 6, seed=1)
    slow = [algorithm_1(attention, x.tolist(), e.tolist()) for x, e in zip(inputs, noise, strict=True)]
    assert torch.allclose(attention(inputs, noise), torch.tensor(slow, dtype=torch.float64), atol=1e-10)


def test_the_order_of_the_inputs_is_of_no_effect(attention: SlotAttention) -> None:
    inputs, noise = 3 * gaussian(2, 9, 5), gaussian(2, 4, 6, seed=1)
    order = torch.randperm(9)
    assert torch.allclose(attention(inputs[:, order], noise), attention(inputs, noise), atol=1e-12)


def test_permuted_starts_give_permuted_slots(attention: SlotAttention) -> None:
    inputs, noise = 3 * gaussian(2, 9, 5), gaussian(2, 4, 6, seed=1)
    order = torch.tensor([2, 0, 3, 1])
    slots = attention(inputs, noise)
    assert torch.allclose(attention(inputs, noise[:, order]), slots[:, order], atol=1e-12)
    assert torch.pdist(slots[0]).min() > 0.01  # the slots are not all alike, which would be equivariant too


def test_asymmetry_is_0_for_the_module_and_not_for_one_that_numbers_its_inputs(
    attention: SlotAttention,
) -> None:
    inputs, noise = 3 * gaussian(2, 9, 5), gaussian(2, 4, 6, seed=1)
    assert asymmetry(attention, inputs, noise, torch.Generator()) < 1e-12
    attention.norm_inputs.register_forward_hook(lambda *call: call[2] * torch.arange(9)[:, None])
    assert asymmetry(attention, inputs, noise, torch.Generator()) > 0.01


# The autoencoder


def test_the_position_embedding_knows_the_four_edges() -> None:
    embed = PositionEmbedding(4, 3)
    with torch.no_grad():
        embed.linear.weight.copy_(torch.eye(4))
        embed.linear.bias.zero_()
    places = embed(torch.zeros(1, 4, 3, 3))[0].movedim(0, -1)
    assert places[0, 0].tolist() == [0, 0, 1, 1] and places[2, 1].tolist() == [1, 0.5, 0, 0.5]


@pytest.fixture
def autoencoder() -> SlotAutoencoder:
    torch.manual_seed(0)
    return SlotAutoencoder(side=7, width=8, kernel=3, size=6, iterations=2).requires_grad_(False)


def test_every_slot_is_decoded_on_its_own(autoencoder: SlotAutoencoder) -> None:
    slots = gaussian(2, 3, 6).float()
    whole, changed = autoencoder.decode(slots), slots.clone()
    changed[:, 1] += 1
    other = autoencoder.decode(changed)
    differs = (whole.pictures - other.pictures).abs().amax((0, 2, 3, 4)) > 1e-6
    assert differs.tolist() == [False, True, False]
    order = torch.tensor([2, 0, 1])
    assert torch.allclose(autoencoder.decode(slots[:, order]).image, whole.image, atol=1e-6)


def test_masks_share_out_the_pixels(autoencoder: SlotAutoencoder) -> None:
    found = autoencoder(torch.rand(2, 3, 7, 7), torch.randn(2, 3, 6))
    assert found.pictures.shape == (2, 3, 3, 7, 7) and found.masks.shape == (2, 3, 1, 7, 7)
    assert torch.allclose(found.masks.sum(1), torch.ones(2, 1, 7, 7))
    slow = sum(found.pictures[:, k] * found.masks[:, k] for k in range(3))
    assert torch.allclose(found.image, slow, atol=1e-6)  # type: ignore[arg-type]


def test_the_full_network_has_the_published_sizes() -> None:
    """The layers of the paper's small sets: convolutions of 5×5 and 32 channels, slots of 64, a GRU, MLPs."""
    o: Any = load("slot-attention-tetrominoes").stages["discover"]
    net = SlotAutoencoder(o.side, o.width, o.kernel, o.size, o.iterations)
    conv = 25 * 32 * 32 + 32
    encoder = (25 * 3 * 32 + 32) + 3 * conv + (4 * 32 + 32) + 2 * 32 + 2 * (32 * 32 + 32)
    attention = 2 * 64 + 2 * (32 + 64 + 64) + 2 * 32 * 64 + 64 * 64 + 6 * (64 * 64 + 64)
    mlp = 64 * 128 + 128 + 128 * 64 + 64
    decoder = (4 * 64 + 64) + (25 * 64 * 32 + 32) + 2 * conv + (9 * 32 * 4 + 4)
    assert sum(p.numel() for p in net.parameters()) == encoder + attention + mlp + decoder


# The scenes


def test_there_are_19_tetrominoes() -> None:
    sizes = Counter(tuple(sorted(shape.shape)) for shape in orientations())
    assert sizes == {(1, 4): 2, (2, 2): 1, (2, 3): 16}
    assert all(shape.sum() == 4 and ndimage.label(shape)[1] == 1 for shape in orientations())


@pytest.mark.parametrize(("side", "cell"), [(35, 5), (14, 2)])
def test_scenes_hold_three_whole_blocks_on_black(side: int, cell: int) -> None:
    some = scenes(5, 200, side, cell)
    known = {(shape.shape, shape.tobytes()) for shape in orientations()}
    palette = torch.tensor(COLOURS, dtype=torch.uint8)
    assert some.images.shape == (200, 3, side, side) and some.blocks.max() == 3
    assert (some.images.movedim(1, -1)[some.blocks == 0] == 0).all()
    for image, of, colours in zip(*some, strict=True):
        for block in (1, 2, 3):
            rows, columns = np.nonzero(of.numpy() == block)
            box = of[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] == block
            cells = box[::cell, ::cell].numpy()
            assert (cells.shape, np.ascontiguousarray(cells).tobytes()) in known
            assert torch.equal(box, torch.from_numpy(np.kron(cells, np.ones((cell, cell))) > 0))
            assert (image[:, rows, columns] == palette[colours[block - 1], :, None]).all()


def test_a_scene_depends_on_the_key_and_its_number_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = scenes(5, 40, 14, 2)
    monkeypatch.setattr("repro.experiments.other.tetrominoes.CHUNK", 7)
    few, other = scenes(5, 11, 14, 2), scenes(6, 11, 14, 2)
    for part, same, different in zip(whole, few, other, strict=True):
        assert torch.equal(part[:11], same) and not torch.equal(same, different)


def test_shapes_places_and_colours_are_drawn_alike() -> None:
    """Of a single block: every shape, every place of it, every colour equally often (χ² tests)."""
    some = scenes(1, 8000, 8, 1, blocks=1)
    colours = some.colours[:, 0].bincount(minlength=6)
    drawn = Counter(of.numpy().tobytes() for of in some.blocks)
    by_shape: dict[bytes, list[int]] = {}
    for of, count in drawn.items():
        rows, columns = np.nonzero(np.frombuffer(of, dtype=np.uint8).reshape(8, 8))
        cells = np.stack([rows - rows.min(), columns - columns.min()])
        by_shape.setdefault(cells.tobytes(), []).append(count)
    shapes = [sum(counts) for counts in by_shape.values()]
    assert sorted(len(counts) for counts in by_shape.values()) == [40] * 2 + [42] * 16 + [49]
    assert len(shapes) == 19
    for counts in (colours.tolist(), shapes, *by_shape.values()):
        assert stats.chisquare(counts).pvalue > 1e-4


def test_stencils_reach_the_last_place_and_no_further() -> None:
    draws = torch.tensor([[[i / 19 + 1e-3, 1 - 2**-24, 1 - 2**-24] for i in range(19)]])
    covered = stencils(draws, 9, 2)[0]
    assert covered.flatten(1).sum(1).tolist() == [16] * 19
    assert covered[:, -1].any() and covered[:, :, -1].any(1).all()


# The adjusted Rand index


def pair_counting_ari(truth: list[int], found: list[int]) -> float:
    """Hubert and Arabie 1985, from all pairs."""
    both = first = second = 0
    pairs = list(combinations(range(len(truth)), 2))
    for i, j in pairs:
        same = truth[i] == truth[j], found[i] == found[j]
        both, first, second = both + all(same), first + same[0], second + same[1]
    chance = first * second / len(pairs)
    return (both - chance) / ((first + second) / 2 - chance)


def test_the_ari_counts_pairs_of_foreground_pixels() -> None:
    truth = torch.randint(0, 4, (3, 5, 5), generator=torch.Generator().manual_seed(0))
    found = torch.where(
        torch.rand(3, 5, 5, generator=torch.Generator().manual_seed(1)) < 0.6, truth, 5 - truth
    )
    slow = []
    for t, f in zip(truth.flatten(1).tolist(), found.flatten(1).tolist(), strict=True):
        kept = [i for i, value in enumerate(t) if value > 0]
        slow.append(pair_counting_ari([t[i] for i in kept], [f[i] for i in kept]))
    assert foreground_ari(truth, found) == pytest.approx(100 * sum(slow) / 3)
    renamed = torch.tensor([2, 7, 1, 5])[truth]  # names of segments and the background's do not count
    renamed[truth == 0] = 5
    assert foreground_ari(truth, renamed) == 100


@pytest.mark.parametrize(("side", "cell", "told"), [(35, 5, 79.3), (10, 1, 77.3)])
def test_what_colour_alone_reaches(side: int, cell: int, told: float) -> None:
    """Three blocks of six colours: all differ in 20 of 36 cases, two agree in 15 and all in one, with an index of 0.

    Scenes scatter around the value in the recipes by 100 √(20/36 + 15/36 a² − 0.79²) < 27.
    """
    n = 4 * cell**2
    merged = pair_counting_ari([1] * n + [2] * n + [3] * n, [1] * 2 * n + [3] * n)
    assert 100 * (20 + 15 * merged) / 36 == pytest.approx(told, abs=0.05)
    some = scenes(2, 1500, side, cell)
    assert foreground_ari(some.blocks, coloured(some)) == pytest.approx(told, abs=4 * 27 / math.sqrt(1500))


# The stage


def discover(folder: Path, deadline: Deadline | None = None, **changes: Any) -> Outcome:
    (folder / "stage").mkdir(parents=True, exist_ok=True)
    ctx = context(folder, device=CPU, picture=lambda name: folder / name, deadline=deadline or Deadline())
    small = {"side": 10, "cell": 1, "scenes": 64, "test_scenes": 8, "size": 8, "width": 8, "kernel": 3}
    options = {**small, "batch": 8, "steps": 6, "lr": 0.003, "warmup": 1, **changes}
    return SlotDiscovery(SlotDiscovery.Options.model_validate({"kind": "slot_discovery", **options})).run(ctx)


def test_training_lowers_the_error_and_the_picture_shows_the_scenes(tmp_path: Path) -> None:
    early, late = (discover(tmp_path / str(steps), steps=steps).metrics for steps in (1, 60))
    assert late["mse"] < 0.8 * early["mse"]
    assert late["colour_ari"] == early["colour_ari"]
    assert late["asymmetry"] < 1e-12
    with Image.open(tmp_path / "60" / "slots.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (
        6 * 12 * 6,
        7 * 12 * 6,
        3,
    )  # six scenes, seven tiles, each pixel enlarged six times
    first = pixels[6:66:6, 6:66:6]
    from repro.keys import key

    assert (first == scenes(key(3, "stage", "test"), 1, 10, 1).images[0].movedim(0, -1).numpy()).all()


def test_a_run_that_was_stopped_goes_on_to_the_same_end(tmp_path: Path) -> None:
    whole = discover(tmp_path / "whole")
    for _ in range(5):
        with pytest.raises(Stopped):
            discover(tmp_path / "stopped", Deadline(0.0))
    outcome = discover(tmp_path / "stopped")
    assert outcome.metrics == whole.metrics and outcome.curve == whole.curve


def test_segments_are_those_of_the_largest_mask(autoencoder: SlotAutoencoder) -> None:
    found = autoencoder(torch.rand(2, 3, 7, 7), torch.randn(2, 3, 6))
    for n, i, j in np.ndindex(2, 7, 7):
        masks = found.masks[n, :, 0, i, j].tolist()
        assert masks.index(max(masks)) == segments(found)[n, i, j]
