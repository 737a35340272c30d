"""What stages leave for others: bound to its place, and chosen as slow versions of the formulas choose."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from repro.engine import artifacts, checkpoint
from repro.engine.artifacts import leave, left, numbered
from repro.engine.features import extract
from repro.engine.run import Run
from repro.engine.setup import set_up
from repro.engine.stage import Context
from repro.errors import UserError
from repro.keys import generator
from repro.networks.build import Network
from repro.options import DataOptions, Options, Ref, StageOptions, references
from repro.recipes.load import examined, load
from repro.stages import outputs
from repro.stages.acquire import farthest, information, uncertainty
from repro.stages.continual import measures
from repro.stages.exemplars import herding
from tests.conftest import Write
from tests.test_rounds import HEAD, complaints

NET = """\
network: {backbone: mlp, hidden: [8], head: {kind: linear}}, views: {policy: digits, count: 1}, epochs: 1,
        batch: {size: 256}, optimizer: {lr: 1e-1}"""
ACTIVE = f"""{HEAD}\
  steps:
    kind: rounds
    count: 3
    body:
      pool: {{kind: acquire, of: $previous.train, also: $previous.pool, by: entropy, count: 30, first: 50}}
      train: {{kind: train, method: {{name: cross_entropy}}, {NET}}}
      memory: {{kind: exemplars, of: $this.train, per_class: 3}}
      labels: {{kind: pseudo_labels, of: $this.train, per_class: 4}}
      test: {{kind: evaluate, of: $this.train}}
  far: {{kind: acquire, of: $last.steps.train, also: $last.steps.pool, by: coreset, count: 5}}
  few: {{kind: exemplars, of: $last.steps.train, total: 20, keep: $last.steps.memory}}
  all: {{kind: summary, of: [steps*_test.top1]}}
"""


def context(folder: Path, stage: str, **others: Any) -> Context:
    return Context(
        recipe=None, stage=stage, seed=0, setup=set_up("cpu", "fp32"), folder=folder / stage, **others
    )


@pytest.fixture
def ctx(tmp_path: Path, write_recipe: Write) -> Context:
    from repro.data.load import load as load_data

    return context(tmp_path / "r" / "seed0", "one", load=lambda split: load_data("digits", split))


def other(ctx: Context) -> Context:
    return context(ctx.folder.parent, "two", load=ctx.load)


def test_an_index_is_of_the_rows_of_the_whole_split(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, rows = ctx.data("train"), torch.tensor([5, 3, 100])
    monkeypatch.setattr(Context, "table", lambda self, o, split: self.data(split).take(rows))
    found = numbered(ctx, DataOptions(), "train")
    assert torch.equal(found.rows, rows) and len(found.whole) == len(whole)
    assert torch.equal(found.table.labels, whole.labels[rows]) and "train" in ctx.fingerprints
    leave(ctx, "index", {"index": found.rows}, found)
    assert torch.equal(left(other(ctx), "one", "index", whole).tensors["index"], rows)
    with pytest.raises(UserError, match="not of split `test`"):
        left(other(ctx), "one", "index", ctx.data("test"))


def test_what_is_left_has_the_layout_of_its_kind(ctx: Context) -> None:
    for tensors in ({}, {"index": torch.ones(2)}, {"index": torch.ones(2, 2, dtype=torch.int64)}):
        with pytest.raises(ValueError, match="index"):
            leave(ctx, "index", tensors)
    with pytest.raises(ValueError, match="different lengths"):
        leave(ctx, "labels", {"index": torch.arange(2), "label": torch.arange(3)})
    leave(ctx, "critics", {"w": torch.ones(2, 2)})  # a kind of one's own
    assert left(other(ctx), "one", "critics").tensors["w"].shape == (2, 2)


def test_damage_is_told_in_one_line(ctx: Context) -> None:
    data = numbered(ctx, None, "train")
    leave(ctx, "index", {"index": torch.arange(3)}, data)
    path = ctx.folder / "index.safetensors"
    whole = path.read_bytes()

    def told(words: str) -> None:
        with pytest.raises(UserError, match=words) as caught:
            left(other(ctx), "one", "index")
        assert "\n" not in str(caught.value)

    path.write_bytes(whole[:-3])
    told("damaged")
    save_file({**load_file_bytes(whole, path), "index": torch.arange(4)}, path)
    told("damaged")
    checkpoint.save(
        path, {"index": torch.arange(3)}, {"of": "r/seed0/two/index.safetensors", "what": "index"}
    )
    told("belongs to")
    about = {"of": artifacts.state.place(path), "what": "index", "rows": 2}
    checkpoint.save(path, {"index": torch.arange(3)}, about)
    told("rows that its 2 samples do not have")
    checkpoint.save(path, {"index": torch.arange(3)}, {**about, "what": "labels"})
    told("something else")
    path.unlink()
    told("damaged")


def load_file_bytes(content: bytes, path: Path) -> dict[str, torch.Tensor]:
    path.write_bytes(content)
    return load_file(path)


class Inner(Options):
    selected: Any = None
    of: Annotated[str, Ref("index", "labels")] | None = None


class Outer(StageOptions):
    parts: tuple[Inner, ...] = ()
    named: dict[str, Inner] | None = None
    teachers: tuple[Annotated[str, Ref("network")], ...] = ()


def test_references_are_found_at_any_depth() -> None:
    options = Outer(kind="x", parts=(Inner(), Inner(of="a")), named={"n": Inner(of="b")}, teachers=("c", "d"))
    found = {one.keys: (one.named, one.mark.needs) for one in references(options)}  # type: ignore[union-attr]
    assert found == {
        ("parts", 1, "of"): ("a", ("index", "labels")),
        ("named", "n", "of"): ("b", ("index", "labels")),
        ("teachers", 0): ("c", ("network",)),
        ("teachers", 1): ("d", ("network",)),
    }


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("also: $previous.pool", "also: $previous.train", "leaves no index; take `steps0_pool`"),
        ("also: $last.steps.pool", "also: nothing", "no stage is called `nothing`"),
        ("steps*_test.top1", "steps*_test.top2", "no earlier stage gives a metric `steps*_test.top2`"),
        ("steps*_test.top1", "all.mean", "no earlier stage gives a metric `all.mean`"),
        ("of: $last.steps.train, total: 20", "of: $last.steps.pool, total: 20", "leaves no network"),
        ("total: 20", "total: 20, per_class: 2", "as `per_class` or as `total`"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_told_before(write_recipe: Write, old: str, new: str, words: str) -> None:
    write_recipe("r", ACTIVE.replace(old, new))
    assert any(words in complaint for complaint in complaints()), complaints()


def test_rounds_of_active_learning_run(
    write_recipe: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRO_RUNS", str(tmp_path))
    write_recipe("r", ACTIVE)
    assert not examined("r")[1]
    run = Run(load("r"), seed=0, setup=set_up("cpu", "fp32"))
    record = run.execute()
    rows = [record.metrics[f"steps{n}_pool.rows"] for n in range(3)]
    assert rows == [50, 80, 110] and record.metrics["far.rows"] == 115
    pools = [index_of(run, f"steps{n}_pool") for n in range(3)] + [index_of(run, "far")]
    for before, after in itertools.pairwise(pools):
        assert torch.equal(after[: len(before)], before) and len(after.unique()) == len(after)
    tests = [record.metrics[f"steps{n}_test.top1"] for n in range(3)]
    assert record.metrics["all.mean"] == pytest.approx(sum(tests) / 3)
    assert (record.metrics["all.max"], record.metrics["all.last"]) == (max(tests), tests[-1])
    memory, few = index_of(run, "steps2_memory"), index_of(run, "few")
    assert len(memory) == 30 and torch.equal(few, memory.view(10, 3)[:, :2].flatten())
    labels = load_file(run.folder / "steps0_labels" / "labels.safetensors")
    assert labels["label"].bincount().max() <= 4
    again = Run(load("r"), seed=0, setup=set_up("cpu", "fp32"), fresh=True).execute()
    assert again.metrics == record.metrics


def index_of(run: Run, stage: str) -> torch.Tensor:
    return load_file(run.folder / stage / "index.safetensors")["index"]


def test_rounds_of_active_learning_smoke(
    write_recipe: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRO_RUNS", str(tmp_path))
    write_recipe("r", ACTIVE)
    record = Run(load("r"), seed=0, setup=set_up("cpu", "fp32"), smoke=True).execute()
    assert "steps1_pool.rows" in record.metrics and "steps2_pool.rows" not in record.metrics


def test_herding_is_algorithm_4() -> None:
    z = torch.nn.functional.normalize(torch.randn(12, 3, generator=generator(0), dtype=torch.float64), dim=1)
    mean, chosen = z.mean(0), []
    for k in range(1, 8):

        def distance(x: int, k: int = k) -> float:
            return math.dist(mean.tolist(), ((z[x] + sum(z[p] for p in chosen)) / k).tolist())

        chosen.append(min((x for x in range(12) if x not in chosen), key=distance))
    assert herding(z, 7).tolist() == chosen
    assert herding(z, 3).tolist() == chosen[:3]
    assert sorted(herding(z, 50).tolist()) == list(range(12))


def test_the_farthest_are_those_of_a_slow_search() -> None:
    z = torch.randn(20, 4, generator=generator(1))
    centres = torch.randn(3, 4, generator=generator(2))
    for known in (centres, centres[:0]):
        points, chosen = [c.tolist() for c in known], []
        for _ in range(6):
            free = [i for i in range(20) if i not in chosen]
            gap = {i: min((math.dist(z[i].tolist(), p) for p in points), default=math.inf) for i in free}
            chosen.append(max(free, key=lambda i: gap[i]))
            points.append(z[chosen[-1]].tolist())
        assert farthest(z, known, 6).tolist() == chosen


def test_uncertainty_is_largest_where_nothing_is_known() -> None:
    p = torch.tensor([[0.25, 0.25, 0.5], [0.0, 0.0, 1.0], [1 / 3, 1 / 3, 1 / 3], [0.0, 0.5, 0.5]])
    assert uncertainty(p, "entropy").tolist() == pytest.approx(
        [1.5 * math.log(2), 0.0, math.log(3), math.log(2)]
    )
    assert uncertainty(p, "least_confidence").tolist() == pytest.approx([-0.5, -1.0, -1 / 3, -0.5])
    assert uncertainty(p, "margin").tolist() == pytest.approx([-0.25, -1.0, 0.0, 0.0])


def test_the_information_is_what_the_masks_tell() -> None:
    sure = torch.tensor([[1.0, 0.0]])
    both = [torch.cat([sure, sure, sure * 0 + 0.5]), torch.cat([sure, sure.flip(1), sure * 0 + 0.5])]
    assert information(both).tolist() == pytest.approx([0.0, math.log(2), 0.0])


def test_dropout_passes_differ_and_are_keyed(
    write_recipe: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from repro.data.load import load as load_data

    write_recipe("r", ACTIVE)
    network = Network(nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Dropout(0.5)), nn.Linear(8, 10))
    data = load_data("digits", "test")
    ctx = replace(context(tmp_path / "r" / "s", "x", load=None), recipe=load("r"))
    monkeypatch.setattr(outputs, "trained", lambda *_: network)
    first, second = outputs.dropped(ctx, "steps0_train", data, 2)
    assert not torch.equal(first, second)
    again = next(outputs.dropped(ctx, "steps0_train", data, 1))
    assert torch.equal(first, again)
    monkeypatch.setattr(outputs, "extract", partial(extract, batch=100))
    assert torch.allclose(next(outputs.dropped(ctx, "steps0_train", data, 1)), first, atol=1e-6)
    plain = Network(nn.Sequential(nn.Flatten(), nn.Linear(64, 8)), nn.Linear(8, 10))
    monkeypatch.setattr(outputs, "trained", lambda *_: plain)
    with pytest.raises(UserError, match="no dropout"):
        next(outputs.dropped(ctx, "steps0_train", data, 1))


def test_forgetting_and_transfer_by_hand() -> None:
    a = {(0, 0): 90.0, (1, 0): 95.0, (1, 1): 80.0, (2, 0): 70.0, (2, 1): 60.0, (2, 2): 50.0}
    assert measures(a, 3) == {
        "average": 60.0,
        "incremental": pytest.approx((90 + 87.5 + 60) / 3),
        "forgetting": pytest.approx((25 + 20) / 2),
        "backward": pytest.approx((-20 - 20) / 2),
    }
    assert measures({(0, 0): 90.0}, 1) == {"average": 90, "incremental": 90, "forgetting": 0, "backward": 0}
