"""Steps of training: what methods may ask for and give, lack of memory, unkeyed draws, processes that drift apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from repro.engine import update
from repro.engine.abandon import out_of_memory
from repro.engine.fit import fit
from repro.engine.loop import Collapse
from repro.engine.method import Method
from repro.engine.online import Online
from repro.engine.plan import BatchPlan
from repro.engine.setup import Setup
from repro.engine.update import Updater, gathered
from repro.errors import UserError
from repro.keys import generator
from repro.methods.contrastive.moco import MoCo
from repro.methods.contrastive.simclr import SimCLR
from repro.networks.batchnorm import Span, convert
from repro.options import OnlineProbe
from tests import fitting
from tests.division import alone
from tests.fitting import context, images, options, two_processes

CPU_ERROR = "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, Any]]:
    """What two processes came to, each of them, in the tests that need two."""
    folder = tmp_path_factory.mktemp("pairs")
    jobs = {
        "pieces": (pieces,),
        "poor": (poor, str(folder), "both", None),
        "poor in chunks": (poor, str(folder), "grad", 8),
        "drift": (drift, str(folder)),
    }
    return dict(zip(jobs, two_processes([*jobs.values()], folder), strict=True))


def simclr(kind: type[Method] = SimCLR) -> Method:
    torch.manual_seed(1)
    made = kind(SimCLR.Options(name="simclr", temperature=0.5), fitting.Encoder(), fitting.Head())
    return made.double()


# --- what a method may ask for


class Misspelt(SimCLR):
    def embed(self, view: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return super().embed(view)


class Silent(SimCLR):
    def loss(self, z: Tensor, lable: Tensor | None = None) -> Tensor:
        return super().loss(z)


class Late(SimCLR):
    def after_step(self, steps: int) -> None:
        raise AssertionError("this is found before the first step")


class Early(SimCLR):
    def before_step(self, per_epochs: int = 3) -> None:
        pass


class Local(SimCLR):
    def embed(self, views: Tensor, local: Tensor | None = None) -> dict[str, Tensor]:
        assert local is None
        return super().embed(views)

    def loss(self, z: Tensor, weight: float = 1.0) -> Tensor:
        return super().loss(z) * weight


@pytest.mark.parametrize("probed", [False, True])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Misspelt, r"Misspelt.embed asks for `view`.*did you mean `views`"),
        (Silent, r"Silent.loss asks for `lable`.*did you mean `label`"),
        (Late, r"Late.after_step asks for `steps`.*did you mean `step`"),
        (Early, r"Early.before_step asks for `per_epochs`.*did you mean `per_epoch`"),
    ],
)
def test_what_there_is_not_is_told_before_anything_is_updated(
    tmp_path: Path, kind: type[Method], words: str, probed: bool
) -> None:
    method = simclr(kind)
    before = [p.clone() for p in method.parameters()]
    fitted = Online(OnlineProbe(lr=0.1), method, 8, 3).double() if probed else method
    with pytest.raises(UserError, match=words):
        fit(context(alone(), tmp_path), fitted, images(), options(4))
    assert all(torch.equal(a, b) for a, b in zip(before, method.parameters(), strict=True))


def test_parameters_with_defaults_may_stay_without_a_value(tmp_path: Path) -> None:
    fit(context(alone(), tmp_path), simclr(Local), images(), options(4))


# --- what embed may give


class Scalars(Method):
    """A number for each sample, not a vector."""

    def embed(self, views: Tensor, index: Tensor) -> dict[str, Tensor]:
        return {"score": self.project(views).mean((1, 2)), "seen": index}

    def loss(self, score: Tensor, seen: Tensor, index: Tensor) -> Tensor:
        assert torch.equal(seen, index)
        return (score - 1).square().mean()


@pytest.mark.parametrize("micro", [None, 3])
def test_embed_may_give_a_number_for_each_sample(micro: int | None) -> None:
    torch.manual_seed(0)
    method = Scalars(None, nn.Flatten(1), nn.Linear(4, 3)).double()
    optimizer = torch.optim.SGD(method.parameters(), 0.5)
    updater = Updater(alone(), BatchPlan(8, 8, micro_batch=micro), method, optimizer, Span(), seed=0)
    views = torch.randn(8, 2, 4, generator=generator(1), dtype=torch.float64)
    expected = method.project(views).mean((1, 2)).detach()
    index = torch.arange(8)
    loss, embedded = updater.step(0, {"views": views}, {"label": index, "index": index})
    assert torch.allclose(embedded["score"], expected) and loss.item() == pytest.approx(
        (expected - 1).square().mean().item()
    )


def pieces(setup: Setup) -> Tensor:
    return gathered(torch.arange(3.0 if setup.rank == 0 else 2.0) + 10 * setup.rank, [3, 2])


def test_numbers_are_gathered_from_processes_with_different_shares(pairs: dict) -> None:
    one, other = pairs["pieces"]
    assert one.tolist() == other.tolist() == [0, 1, 2, 10, 11]


# --- lack of memory


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError(CPU_ERROR), MemoryError()]
)
def test_lack_of_memory_is_known_in_all_its_forms(error: Exception) -> None:
    assert out_of_memory(error)
    assert not out_of_memory(RuntimeError("shapes do not match")) and not out_of_memory(ValueError(CPU_ERROR))


class Poor(SimCLR):
    """Fails with more than `most` samples at once, in the passes that `when` says."""

    most, when = 5, "both"

    def embed(self, views: Tensor) -> dict[str, Tensor]:
        grad = torch.is_grad_enabled()
        if len(views) > self.most and self.when in ("both", "grad" if grad else "no grad"):
            raise RuntimeError(CPU_ERROR)
        return super().embed(views)


def poor(setup: Setup, folder: str, when: str | None, micro: int | None) -> Any:
    """Curve, state and what was noted; on several processes only the last one lacks memory."""
    method: Any = simclr(Poor)
    method.when = when if setup.rank == setup.processes - 1 else None
    loop = fit(
        context(setup, Path(folder) / f"{setup.processes} {when} {micro}"),
        method,
        images(),
        options(4),
        micro,
    )
    state = torch.cat([t.double().flatten() for t in method.state_dict().values()])
    return [row["loss"] for row in loop.curve], state, loop.notes.get("out_of_memory_at")


@pytest.mark.parametrize(
    ("when", "micro", "halved"), [("both", None, [16, 8]), ("grad", 8, [8]), ("no grad", 8, [8])]
)
def test_the_step_is_made_again_in_halves(tmp_path: Path, when: str, micro: int | None, halved: list) -> None:
    losses, state, _ = poor(alone(), str(tmp_path), None, None)
    other_losses, other_state, noted = poor(alone(), str(tmp_path), when, micro)
    assert noted == halved
    assert losses == pytest.approx(other_losses, abs=1e-9) and (state - other_state).abs().max() < 1e-9


def test_all_processes_halve_when_one_lacks_memory(pairs: dict, tmp_path: Path) -> None:
    losses, state, _ = poor(alone(), str(tmp_path), None, None)
    for one, other in (pairs["poor"], pairs["poor in chunks"]):
        assert one[2] == other[2] == [8] and one[0] == other[0] and torch.equal(one[1], other[1])
        assert losses == pytest.approx(one[0], abs=1e-9) and (state - one[1]).abs().max() < 1e-9


def test_halves_that_leave_a_group_of_one_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Poor, "most", 1)
    with pytest.raises(UserError, match=r"does not suffice for a micro-batch of 2.*single sample"):
        poor(alone(), str(tmp_path), "both", 4)


def test_a_failure_in_the_update_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights may have changed by then."""
    method = simclr()

    def fail(*args: Any) -> None:
        raise torch.OutOfMemoryError("in the update")

    monkeypatch.setattr(update.optim, "clip", fail)
    with pytest.raises(torch.OutOfMemoryError):
        fit(context(alone(), tmp_path), method, images(), options(4))


# --- groups of one


def test_a_batch_of_one_is_refused_where_batchnorm_would_see_it(tmp_path: Path) -> None:
    o = options(4)
    o.batch = o.batch.model_copy(update={"size": 37, "bn_span": None})  # of 38
    with pytest.raises(UserError, match=r"single sample: a batch of 1 with.*drop_last"):
        fit(context(alone(), tmp_path), simclr(), images(), o)
    o.batch = o.batch.model_copy(update={"bn_views": None})  # two views together are two rows
    fit(context(alone(), tmp_path), simclr(), images(), o)


# --- draws that are not keyed


class Own(SimCLR):
    def embed(self, views: Tensor) -> dict[str, Tensor]:
        return {name: nn.functional.dropout(x, 0.1) for name, x in super().embed(views).items()}


@pytest.mark.parametrize(("kind", "micro", "told"), [(Own, 4, True), (Own, None, False), (SimCLR, 4, False)])
def test_draws_that_depend_on_the_division_are_told(
    tmp_path: Path, kind: type[Method], micro: int | None, told: bool
) -> None:
    ctx = context(alone(), tmp_path)
    fit(ctx, simclr(kind), images(), options(4), micro)
    assert ("random numbers in the network" in [d.what for d in ctx.deviations]) == told


# --- processes


class Drifting(SimCLR):
    def after_step(self, step: int) -> None:
        if step == 3 and torch.distributed.get_rank() == 1:
            with torch.no_grad():
                self.encoder.conv.weight.mul_(1.01)  # type: ignore[operator, union-attr]


def drift(setup: Setup, folder: str) -> str:
    ctx = context(setup, Path(folder) / "drift")
    ctx.checkpoint_every = 0.0
    try:
        fit(ctx, simclr(Drifting), images(), options(4))
    except Collapse as reason:
        return str(reason)
    return "it was not noticed"


def test_processes_that_drift_apart_are_stopped(pairs: dict) -> None:
    one, other = pairs["drift"]
    assert one == other and "process 1 are no longer those of process 0 at step" in one


# --- shuffled keys


@pytest.mark.parametrize("span", [2, 4])
def test_a_key_is_normalised_with_others_than_its_query(monkeypatch: pytest.MonkeyPatch, span: int) -> None:
    """The samples that share a BatchNorm group, as the networks of queries and of keys see them."""
    torch.manual_seed(0)
    seen: dict[str, list[list[int]]] = {"embed": [], "keys": []}

    class Told(MoCo):
        def embed(self, views: Tensor, index: Tensor, k: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
            seen["embed"] += [group.tolist() for group in index.split(span)]
            assert torch.allclose(k[:, 0, 0], index.to(k.dtype), atol=1e-6)  # keys come back in order
            return super().embed(views)

        def keys(self, views: Tensor, index: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
            seen["keys"] += [group.tolist() for group in index.split(span)]
            assert not torch.is_grad_enabled()
            assert torch.equal(views[:, 0, 0], index.to(views.dtype))  # each with its own views
            k = super().keys(views)["k"]
            return {"k": torch.cat([index.to(k.dtype)[:, None, None], k[..., 1:]], -1)}

        def loss(self, q: Tensor, k: Tensor) -> Tensor:
            return (q * k).mean()

    made = Told.Options.model_validate({"name": "moco", "queue": 8, "shuffle": True})
    head: Any = nn.BatchNorm1d(3)
    head.dim = 3
    method = Told(made, nn.Linear(3, 3), head)
    optimizer = torch.optim.SGD(method.parameters(), 0.1)
    updater = Updater(alone(), BatchPlan(16, span, 1, 8), method, optimizer, convert(method), seed=5)
    index = torch.randperm(100, generator=generator(1))[:16]
    views = torch.randn(16, 2, 3, generator=generator(2))
    views[..., 0] = index[:, None].float()
    orders = []
    for step in range(3):
        seen["embed"], seen["keys"] = [], []
        updater.step(step, {"views": views}, {"label": index, "index": index})
        queries, keys = ([set(group) for group in seen[what][: 16 // span]] for what in ("embed", "keys"))
        assert set().union(*queries) == set().union(*keys) == set(index.tolist())
        alike = sum(len(q & k) == span for q in queries for k in keys)
        assert alike <= 1
        orders.append(seen["keys"])
    assert orders[0] != orders[1] != orders[2]
