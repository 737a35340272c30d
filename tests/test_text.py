"""Text: the networks, and the losses of the methods against slow transcriptions of their formulas."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from repro.engine.method import unit
from repro.keys import generator
from repro.methods.language.next_token import NextToken
from repro.methods.text.clusterns import ClusterNS, chain
from repro.methods.text.dclr import DCLR
from repro.methods.text.simcse import SimCSE
from repro.networks.build import Bare
from repro.networks.gpt import GPT, Block
from repro.networks.text_transformer import TextTransformer


def encoder(**options: Any) -> Any:
    torch.manual_seed(0)
    small = {"backbone": "text_transformer", "width": 16, "head_width": 8, **options}
    return TextTransformer(TextTransformer.Options.model_validate(small), (8, 20)).double().eval()


def decoder(**options: Any) -> Any:
    torch.manual_seed(0)
    small = {"backbone": "gpt", "width": 16, "head_width": 8, "layers": 2, **options}
    return GPT(GPT.Options.model_validate(small), (8, 20)).double().eval()


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_it_has_the_parameters_of_bert_base() -> None:
    """109,482,240, less the pooler (768² + 768) and the two kinds of segments, which one sentence does not need."""
    o = TextTransformer.Options(backbone="text_transformer", width=768, layers=12, head_width=64)
    with torch.device("meta"):
        bert = TextTransformer(o, (512, 30522))
    assert count(bert) == 109_482_240 - (768 * 768 + 768) - 2 * 768


@pytest.mark.parametrize("pool", ["mean", "first"])
def test_padding_does_not_show(pool: str) -> None:
    network = encoder(pool=pool)
    tokens = torch.tensor([[5, 3, 7]])
    padded = torch.tensor([[5, 3, 7, 0, 0, 0]])
    assert torch.allclose(network(tokens), network(padded), atol=1e-12)
    assert not torch.allclose(network(tokens), network(torch.tensor([[5, 3, 8]])), atol=1e-3)


def test_an_empty_text_has_features() -> None:
    assert encoder()(torch.zeros(2, 4, dtype=torch.int64)).isfinite().all()


def test_dropout_tells_two_passes_apart() -> None:
    network = encoder().train()
    tokens = torch.tensor([[5, 3, 7]])
    assert not torch.allclose(network(tokens), network(tokens), atol=1e-3)


@pytest.mark.parametrize(("width", "layers", "parameters"), [(768, 12, 124_439_808), (1024, 24, 354_823_168)])
def test_it_has_the_parameters_of_gpt_2(width: int, layers: int, parameters: int) -> None:
    """Those of the released models, with a context of 1,024; GPT-3's Table 2.1 rounds to 125 and 350 million."""
    o = GPT.Options(backbone="gpt", width=width, layers=layers, band=128)
    with torch.device("meta"):
        assert count(GPT(o, (1024, 50257))) == parameters


@pytest.mark.parametrize("band", [None, 2])
def test_attention_as_in_its_formula(band: int | None) -> None:
    torch.manual_seed(0)
    block = Block(8, 2, band, 0.0).double()
    x = torch.randn(1, 5, 8, dtype=torch.float64)
    q, k, v = block.qkv(x)[0].chunk(3, -1)
    rows = []
    for t in range(5):
        seen = range(0 if band is None else max(0, t - band + 1), t + 1)
        heads = []
        for own in (slice(0, 4), slice(4, 8)):
            weights = [(q[t, own] @ k[s, own] / 2).exp() for s in seen]
            heads.append(sum(w * v[s, own] for w, s in zip(weights, seen, strict=True)) / sum(weights))
        rows.append(torch.cat(heads))
    assert torch.allclose(block.attention(x)[0], block.out(torch.stack(rows)), atol=1e-12)


def test_no_token_sees_later_ones() -> None:
    network = decoder(band=2, layers=4)
    tokens = torch.tensor([[5, 3, 7, 2, 9]])
    changed = torch.tensor([[5, 3, 7, 4, 9]])
    a, b = network(tokens)[0], network(changed)[0]
    assert torch.equal(a[:3], b[:3]) and not torch.allclose(a[3:], b[3:], atol=1e-6)


def test_every_second_layer_is_banded() -> None:
    assert [block.band for block in decoder(band=2, layers=4).blocks] == [None, 2, None, 2]


def sentences(n: int = 6, dim: int = 5, seed: int = 1) -> Tensor:
    return torch.randn(n, 2, dim, dtype=torch.float64, generator=generator(seed))


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a @ b / a.norm() / b.norm())


def test_simcse_as_in_its_formula() -> None:
    """Gao et al. 2021, eq. 4."""
    z, t = sentences(), 0.2
    method = SimCSE(SimCSE.Options(name="simcse", temperature=t), Bare(5), Bare(5))
    total = 0.0
    for i in range(6):
        scores = [math.exp(cosine(z[i, 0], z[j, 1]) / t) for j in range(6)]
        total -= math.log(scores[i] / sum(scores)) / 6
    assert float(method.loss(unit(z))) == pytest.approx(total, abs=1e-12)


def clusterns(**options: Any) -> Any:
    chosen = {"name": "clusterns", "clusters": 3, "temperature": 0.2, "rate": 0.3, "margin_weight": 0.7}
    return ClusterNS(ClusterNS.Options.model_validate({**chosen, **options}), Bare(5), Bare(5)).double()


def slow_clusterns(z: Tensor, centroids: list[Tensor], o: Any) -> tuple[float, list[Tensor]]:
    """The loss, and the centroids after the step, in plain loops."""
    n, k = len(z), len(centroids)
    x = [z[i, 0] for i in range(n)]
    members: list[list[Tensor]] = [[] for _ in range(k)]
    for one in x:
        members[max(range(k), key=lambda c: cosine(one, centroids[c]))].append(one)
    centroids = [
        (1 - o.rate) * c + o.rate * (sum(own) if own else c)  # type: ignore[arg-type]
        for c, own in zip(centroids, members, strict=True)
    ]
    order = [sorted(range(k), key=lambda c: -cosine(one, centroids[c])) for one in x]
    contrast = margin = 0.0
    for i in range(n):
        positive = cosine(x[i], z[i, 1])
        scores = [math.exp(cosine(x[i], z[j, 1]) / o.temperature) for j in range(n)]
        hard = [math.exp(cosine(x[i], centroids[order[j][1]]) / o.temperature) for j in range(n)]
        contrast -= math.log(scores[i] / (sum(scores) + sum(hard))) / n
        for j in range(n):
            if i != j and order[i][0] == order[j][0]:
                delta = cosine(x[i], z[j, 1]) - positive
                margin += (max(0.0, delta + o.alpha) + max(0.0, -delta - o.beta)) / n**2
    return contrast + o.margin_weight * margin, centroids


def test_clusterns_as_in_its_formulas() -> None:
    """Over three steps, the first of which begins the clusters."""
    method = clusterns(start_cosine=0.9, alpha=0.1)
    z = sentences()
    plain = SimCSE(SimCSE.Options(name="simcse", temperature=0.2), Bare(5), Bare(5))
    assert float(method.loss(z)) == pytest.approx(float(plain.loss(unit(z))), abs=1e-12)
    method.after_step(z)
    assert method.started
    centroids = list(method.centroids.clone())
    for seed in (2, 3):
        z = sentences(seed=seed)
        expected, centroids = slow_clusterns(z, centroids, method.options)
        assert float(method.loss(z)) == pytest.approx(expected, abs=1e-12)
        method.after_step(z)
        assert torch.allclose(method.centroids, torch.stack(centroids), atol=1e-12)


def test_clusters_wait_for_the_batch_to_spread() -> None:
    method = clusterns(start_cosine=0.4)
    method.after_step(1 + 0.01 * sentences())
    assert not method.started
    method.after_step(sentences())
    assert method.started


def test_each_centroid_begins_far_from_the_one_before() -> None:
    similar = torch.tensor(
        [[1.0, 0.9, 0.1, 0.5], [0.9, 1.0, 0.2, 0.0], [0.1, 0.2, 1.0, 0.3], [0.5, 0.0, 0.3, 1.0]]
    )
    assert chain(similar, 4).tolist() == [0, 2, 1, 3]


def test_next_token_as_in_its_formula() -> None:
    network = decoder()
    method = NextToken(NextToken.Options(name="next_token"), network, Bare(16))
    texts = torch.tensor([[5, 3, 7, 2], [4, 9, 0, 0]])
    total, predicted = 0.0, 0
    for text in texts:
        for t in range(1, 4):
            if text[t]:
                state = network(text[None, :t])[0, -1]
                scores = [float(state @ embedding) for embedding in network.tokens.weight]
                total -= scores[text[t]] - math.log(sum(map(math.exp, scores)))
                predicted += 1
    embedded = method.embed(texts[:, None])
    assert float(method.loss(**embedded)) == pytest.approx(total / predicted, abs=1e-10)
    assert embedded["tokens"].tolist() == [3, 1]


class Noise:
    """Draws that are known beforehand."""

    def __init__(self, noise: Tensor):
        self.noise = noise

    def normal(self, name: str, *shape: int) -> Tensor:
        return self.noise.view(-1, *shape)


def contrast(z: Tensor, noise: list[Tensor], t: float, alike: set[tuple[int, int]] = frozenset()) -> Any:  # type: ignore[assignment]
    """The mean over sentences of −log of the positive's share among sentences that are not alike, and noise."""
    total: Any = 0.0
    for i in range(len(z)):
        own = ((z[i, 0] @ z[i, 1]) / t).exp()
        others = sum(((z[i, 0] @ z[j, 1]) / t).exp() for j in range(len(z)) if j != i and (i, j) not in alike)
        others = others + sum(((z[i, 0] @ x) / x.norm() / t).exp() for x in noise)
        total = total - (own / (own + others)).log() / len(z)
    return total


def test_dclr_as_in_its_formulas() -> None:
    """Weighted negatives and noise that has climbed; the teacher finds sentences 0 and 2 alike."""
    z, known = unit(sentences()), unit(sentences(seed=5)[:, 0])
    known[2] = known[0]
    start = torch.randn(12, 5, dtype=torch.float64, generator=generator(6))
    o = DCLR.Options(name="dclr", temperature=0.2, threshold=0.99, noise=2, ascents=3, ascent=0.05)
    noise = list(start)
    for _ in range(3):
        noise = [x.clone().requires_grad_() for x in noise]
        slopes = torch.autograd.grad(contrast(z, noise, 0.2), noise)
        noise = [(x + 0.05 * s / s.norm()).detach() for x, s in zip(noise, slopes, strict=True)]
    expected = float(contrast(z, noise, 0.2, {(0, 2), (2, 0)}))
    method = DCLR(o, Bare(5), Bare(5), Bare(5))
    assert float(method.loss(z, known, Noise(start))) == pytest.approx(expected, abs=1e-10)
