"""Images that stay encoded in files: random access, faults, and views that do not depend on who makes them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import Tensor, nn

from repro.cli.data import command as data_command
from repro.data import declare
from repro.data.available import available
from repro.data.declare import declaration
from repro.data.encoded import opened
from repro.data.images import ImageSet, image_set
from repro.data.load import get, load, look_alike, verify
from repro.engine.batches import Batches
from repro.engine.features import extract
from repro.engine.fit import fit
from repro.engine.setup import set_up
from repro.engine.stage import Context
from repro.errors import UserError
from repro.keys import key
from repro.methods.supervised.cross_entropy import CrossEntropy
from repro.options import Batch, Optimizer, TrainingOptions
from repro.options.views import expand
from repro.signals import STOPS
from repro.views import workers
from repro.views.cut import FILTERS, centred
from repro.views.draws import Draws
from repro.views.geometry import Boxes, crop_resize, random_resized_boxes
from repro.views.loader import loader, plain_views
from tests.conftest import ROOT, own_data

ROWS, CLASSES, SIZE, CPU = {"train": 75, "test": 11}, 4, 24, torch.device("cpu")
MEAN, STD = [0.5, 0.4, 0.3], [0.25, 0.2, 0.3]
UNIT = {"normalise": {"mean": [0, 0, 0], "std": [1, 1, 1]}}
VIEWS = {
    "policy": "simclr-cifar",
    "count": 2,
    "each": [{}, {"solarise": {"p": 0.5}, "crop": {"filter": "bicubic"}}],
    "local": {"count": 3, "size": 12, "crop": {"scale": [0.05, 0.4]}, "flip": 0.5},
}
Pixels = list[np.ndarray]


def picture(seed: int, height: int, width: int) -> np.ndarray:
    """(H, W, 3) uint8: smooth, so that JPEG keeps it roughly, with some noise."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), np.uint8)).resize((width, height))
    return (np.asarray(coarse) // 2 + rng.integers(0, 128, (height, width, 3))).astype(np.uint8)


def encode(pixels: np.ndarray, kind: str = "PNG", mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, kind)
    return file.getvalue()


def table(encoded: list[bytes | None], labels: list[int]) -> pa.Table:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    cells = pa.array([{"bytes": e, "path": None} for e in encoded], kind)
    return pa.table({"image": cells, "label": pa.array(labels, pa.int64())})


def write(path: Path, encoded: list[bytes | None], labels: list[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table(encoded, labels), path, row_group_size=7)


def two_passes(image: Image.Image, size: int, filter: str) -> Image.Image:
    """Across, then down: Pillow's own order until version 13."""
    return image.resize((size, image.height), FILTERS[filter]).resize((size, size), FILTERS[filter])


def declare_set(name: str = "wide", **changes: Any) -> None:
    values = {
        "title": "Pictures",
        "licence": "none",
        "citation": "none",
        "splits": ROWS,
        "shape": [3, SIZE, SIZE],
        "varied": True,
        "classes": CLASSES,
        "mean": MEAN,
        "std": STD,
        "source": {
            "hub": {
                "repo": "a/wide",
                "image": "image",
                "label": "label",
                "mb": 9,
                "splits": {"test": "valid"},
            }
        },
        "fingerprints": {"train": {}, "test": {}},
        **changes,
    }
    (declare.SETS / f"{name}.yaml").write_text(json.dumps(values), encoding="utf-8")
    declare._read.cache_clear()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty $REPRO_DATA, cache and hub cache, and a declaration of the set `wide`."""
    own_data(tmp_path, monkeypatch)
    monkeypatch.setenv("REPRO_WORKERS", "0")
    declare_set()
    return tmp_path


@pytest.fixture
def encoded(root: Path) -> list[bytes]:
    """75 training images of varied sizes, kinds and modes, in two files; 11 test images in one."""
    rng = np.random.default_rng(0)
    kinds = [
        ("JPEG", "RGB"),
        ("PNG", "RGB"),
        ("JPEG", "L"),
        ("JPEG", "CMYK"),
        ("PNG", "RGBA"),
        ("WEBP", "RGB"),
    ]
    images = [
        encode(picture(i, *rng.integers(20, 70, 2)), *kinds[i % len(kinds)])
        for i in range(sum(ROWS.values()))
    ]
    labels = [i % CLASSES for i in range(len(images))]
    for name, (a, b) in {"train-00000": (0, 40), "train-00001": (40, 75), "valid-00000": (75, 86)}.items():
        write(
            root / "data" / "wide" / f"{name}-of-0000{1 if b > 75 else 2}.parquet",
            list(images[a:b]),
            labels[a:b],
        )
    return images


def streamed(split: str = "train") -> ImageSet:
    data = load("wide", split)
    assert isinstance(data, ImageSet)
    return data


def plan(data: ImageSet, size: int = 35, seed: int = 0, rank: int = 0, processes: int = 1) -> Any:
    """(upcoming, total) of two epochs, for one of some processes that take turns."""
    batches = Batches(len(data), size, 2, False, seed)

    def upcoming(step: int) -> tuple[Tensor, int]:
        return batches[step][rank::processes], key(seed, "views", batches.epoch(step))

    return upcoming, batches.total


def fed(data: ImageSet, steps: Any = None, workers: int = 0, views: Any = VIEWS, **how: Any) -> list[Any]:
    upcoming, total = plan(data, **how)
    source = loader(data, expand(views), CPU, upcoming, total, workers)
    made = [source(step) for step in steps or range(total)]
    source.close()
    return made


def same(ours: list[dict[str, Tensor]], theirs: list[dict[str, Tensor]], atol: float = 0) -> None:
    for a, b in zip(ours, theirs, strict=True):
        assert a.keys() == b.keys() == {"views", "local"}
        for name in a:
            torch.testing.assert_close(a[name], b[name], atol=atol, rtol=0)


# Files


def test_rows_are_found_in_any_order(encoded: list[bytes]) -> None:
    train, test = streamed(), streamed("test")
    assert (len(train), len(train.images), len(test), train.shape) == (75, 75, 11, (3, SIZE, SIZE))
    assert test.labels.tolist() == [i % CLASSES for i in range(75, 86)] and test.classes == CLASSES
    for at in np.random.default_rng(1).permutation(75).tolist():
        expected = np.asarray(opened(encoded[at], 3))
        assert np.array_equal(train.images[at].permute(1, 2, 0), expected)
    assert list(test.images) == encoded[75:]
    with pytest.raises(IndexError):
        train.images[75]


def test_a_selection_and_a_copy_give_the_same_images(encoded: list[bytes]) -> None:
    data = streamed()
    rows = torch.tensor([70, 3, 41, 3])
    some = data.take(rows)
    assert len(some) == 4 and some.labels.tolist() == [2, 3, 1, 3]
    again = pickle.loads(pickle.dumps(some.images[torch.tensor([1, 2])]))
    assert list(again) == [encoded[3], encoded[41]]


def test_arrow_files_are_the_same_data(root: Path, encoded: list[bytes]) -> None:
    before = streamed("test")
    (file,) = (root / "data" / "wide").glob("valid-*")
    whole = pq.read_table(file)
    with (
        pa.OSFile(str(file.with_suffix(".arrow")), "wb") as out,
        pa.ipc.new_stream(out, whole.schema) as writer,
    ):
        writer.write_table(whole, max_chunksize=4)
    file.unlink()
    after = streamed("test")
    assert after.fingerprint == before.fingerprint and list(after.images) == encoded[75:]
    assert list(pickle.loads(pickle.dumps(after.images))) == encoded[75:]


def test_the_hubs_cache_is_found_under_the_hubs_name_of_the_split(root: Path, encoded: list[bytes]) -> None:
    assert available("wide") == "REPRO_DATA"
    folder = root / "hub" / "a___wide" / "default" / "0.0.0" / "abc"
    folder.mkdir(parents=True)
    (root / "data" / "wide").rename(root / "elsewhere")
    for name, parts in (("train", "train-*"), ("valid", "valid-*")):
        whole = pa.concat_tables(map(pq.read_table, sorted((root / "elsewhere").glob(parts))))
        with pa.ipc.new_stream(str(folder / f"wide-{name}.arrow"), whole.schema) as writer:
            writer.write_table(whole, max_chunksize=10)
    assert available("wide") == "hub cache"
    assert list(streamed("test").images) == encoded[75:] and list(streamed().images) == encoded[:75]


def test_fetching_from_a_folder_of_parquet_files(root: Path, encoded: list[bytes], monkeypatch: Any) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", root / "hub")
    (root / "repository").mkdir()
    (root / "data" / "wide").rename(root / "repository" / "data")
    assert [(s.split, len(s)) for s in get("wide", str(root / "repository"))] == [*ROWS.items()]


def test_fingerprint_is_of_the_encoded_bytes_and_remembered(
    root: Path, encoded: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = np.array([i % CLASSES for i in range(75, 86)], "<i8")
    header = b"encoded (11,)\n"
    rows = sorted(
        hashlib.sha256(e + n.tobytes()).digest() for e, n in zip(encoded[75:], numbers, strict=True)
    )
    sized = b"".join(len(e).to_bytes(8, "little") + e for e in encoded[75:])
    ordered = hashlib.sha256(header + sized + b"int64 (11,)\n" + numbers.tobytes()).hexdigest()
    content = hashlib.sha256(header + b"".join(rows)).hexdigest()
    assert streamed("test").fingerprint == (ordered, content)
    monkeypatch.setattr("repro.data.stream.fingerprint_encoded", None)
    assert streamed("test").fingerprint == (ordered, content)
    monkeypatch.undo()


def test_what_is_not_the_release_is_told(root: Path, encoded: list[bytes]) -> None:
    found = streamed("test").fingerprint
    assert found is not None and verify("wide", "test").content == "not on record"
    known = {"content": found.content, "ordered": [{"sha": "0" * 64}]}
    declare_set(fingerprints={"train": {"content": "0" * 64}, "test": known})
    assert [d.here for d in streamed("test").deviations] == ["an order that is not on record"]
    assert verify("wide", "test").content == "verified" and verify("wide", "train").content == "differs"
    with pytest.raises(UserError, match="are not those of the release"):
        load("wide", "train")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("missing", r"accept the licence at .*a/wide.* run `repro data get wide` .*valid-\*\.parquet"),
        ("rows", "has 11 rows, and the 1 file.* have 4"),
        ("label", "labels go from -1 to 2; expected 0 to 3"),
        ("cut file", "damaged or incomplete"),
    ],
)
def test_faults_of_files_are_told(root: Path, encoded: list[bytes], fault: str, message: str) -> None:
    (file,) = (root / "data" / "wide").glob("valid-*")
    match fault:
        case "missing":
            hub = {"repo": "a/wide", "image": "image", "label": "label", "mb": 9, "gated": True}
            declare_set(source={"hub": {**hub, "splits": {"test": "valid"}}})
            file.unlink()
        case "rows":
            write(file, list(encoded[:4]), [0, 1, 2, 3])
        case "label":
            write(file, list(encoded[75:]), [-1, *[2] * 10])
        case "cut file":
            file.write_bytes(file.read_bytes()[:-90])
    with pytest.raises(UserError, match=message):
        load("wide", "test")


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("how", ["cut", "not an image", "no bytes"])
def test_a_damaged_image_is_named(root: Path, encoded: list[bytes], workers: int, how: str) -> None:
    file = root / "data" / "wide" / "train-00001-of-00002.parquet"
    bad = {"cut": encoded[42][: len(encoded[42]) // 2], "not an image": b"text", "no bytes": None}[how]
    write(file, [*encoded[40:42], bad, *encoded[43:75]], [0] * 35)
    with pytest.raises(
        UserError, match=r"train-00001-of-00002\.parquet: row 2: .*run `repro data get wide`"
    ) as told:
        fed(streamed(), workers=workers)
    assert "Traceback" not in str(told.value)
    with pytest.raises(UserError, match=r"row 2: "):
        list(plain_views(streamed(), expand(VIEWS), CPU, 0, 75, 16, workers))


# Views


def test_views_do_not_depend_on_workers_or_restarts(encoded: list[bytes]) -> None:
    data = streamed()
    alone = fed(data)
    assert [len(v["views"]) for v in alone] == [35, 35, 5] * 2
    assert alone[0]["views"].shape == (35, 2, 3, SIZE, SIZE) and alone[0]["local"].shape == (35, 3, 3, 12, 12)
    same(fed(data, workers=2), alone)
    for start in (1, 4):
        same(fed(data, range(start, 6), workers=start // 2), alone[start:])
    same(fed(data, [2, 3, 0, 1]), [alone[s] for s in (2, 3, 0, 1)])


def test_views_do_not_depend_on_processes_or_company(encoded: list[bytes]) -> None:
    data = streamed()
    alone, parts = fed(data), [fed(data, rank=rank, processes=3) for rank in range(3)]
    for rank in range(3):
        same(parts[rank], [{k: x[rank::3] for k, x in v.items()} for v in alone], atol=1e-6)
    epochs = [
        torch.cat([v["views"] for v in alone[e : e + 3]])[plan(data)[0](e)[0].argsort()[:5]] for e in (0, 3)
    ]
    assert (epochs[0] - epochs[1]).abs().flatten(1).amax(1).min() > 1e-3


def test_workers_leave_the_global_generator_alone(encoded: list[bytes]) -> None:
    data = streamed()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fed(data, [0], workers=1)
    assert torch.equal(torch.rand(3), expected)


def resident(data: ImageSet) -> ImageSet:
    """The same images in memory; they must have one size."""
    images = torch.stack([data.images[i] for i in range(len(data))])
    facts: dict[str, Any] = {"name": data.name, "split": data.split, "classes": data.classes}
    return image_set(images, data.labels, mean=data.mean, std=data.std, **facts)


@pytest.fixture
def square(root: Path) -> ImageSet:
    """48 PNG images of 24×24 pixels."""
    declare_set(splits={"train": 48}, fingerprints={"train": {}}, source=declared_source())
    images = [encode(picture(i, SIZE, SIZE)) for i in range(48)]
    write(root / "data" / "wide" / "train-0.parquet", list(images), [0] * 48)
    return streamed()


def declared_source() -> dict[str, Any]:
    return {"parquet": {"image": "image", "label": "label"}}


@pytest.mark.parametrize("filter", [None, "bicubic"])
def test_streamed_views_are_the_resident_ones_within_rounding(square: ImageSet, filter: str | None) -> None:
    local = {"count": 2, "size": 12, "crop": {"scale": [0.05, 0.4], "filter": filter}, **UNIT}
    views = {"policy": "crop-flip", "count": 2, "crop": {"filter": filter}, "local": local, **UNIT}
    there, here = fed(square, views=views), fed(resident(square), views=views)
    same(there, here, atol=1.02 / 255 if filter is None else 2.1 / 255)
    assert (
        torch.cat([(a["views"] - b["views"]).abs() for a, b in zip(there, here, strict=True)]).mean() < 0.002
    )
    padded = {"pad_crop": 3, "flip": 0.5, **UNIT}
    for a, b in zip(fed(square, views=padded), fed(resident(square), views=padded), strict=True):
        torch.testing.assert_close(a["views"], b["views"], atol=1e-6, rtol=0)


def test_boxes_are_those_of_the_images_own_size(encoded: list[bytes]) -> None:
    data = streamed()
    views = expand({"crop": {"filter": "bicubic"}, **UNIT})
    made = fed(data, [0], views=views)[0]["views"][:, 0]
    index, drawn = plan(data)[0](0)
    for at, sample in enumerate(index[:12].tolist()):
        image = opened(encoded[sample], 3)
        boxes = random_resized_boxes(Draws(drawn, 0, index), views.crop, image.height, image.width)
        top, left, height, width = (int(side[at]) for side in boxes)
        part = two_passes(image.crop((left, top, left + width, top + height)), SIZE, "bicubic")
        assert np.array_equal((made[at] * 255).round().byte().permute(1, 2, 0), np.asarray(part))


@pytest.mark.parametrize(("filter", "workers"), [(None, 0), ("bicubic", 2)])
def test_evaluation_resizes_the_shorter_side_and_cuts_the_centre(
    encoded: list[bytes], filter: str | None, workers: int
) -> None:
    from torchvision.transforms import functional as F

    data = streamed()
    options = expand({"crop": {"filter": filter}, "size": 28, **UNIT})
    found = torch.cat(list(plain_views(data, options, CPU, 5, 75, 40, workers)))
    assert found.shape == (70, 3, 28, 28)
    for at in range(70):
        image = F.resize(opened(encoded[5 + at], 3), 32, FILTERS[filter])
        assert torch.equal(found[at], F.to_tensor(F.center_crop(image, 28)))
    no_crop = fed(data, [0], views={"size": 28, **UNIT})[0]["views"][:, 0]
    if filter is None:
        at = int((plan(data)[0](0)[0] == 5).nonzero()) if 5 in plan(data)[0](0)[0] else None
        assert at is None or torch.equal(no_crop[at], found[0])
    assert next(plain_views(data, options, CPU, 3, 3, 40)).shape == (0, 3, 28, 28)


def test_imagenets_view_is_224_of_256() -> None:
    image = Image.fromarray(picture(0, 375, 500))
    expected = image.resize((341, 256), Image.Resampling.BILINEAR).crop((58, 16, 282, 240))
    assert np.array_equal(centred(224, None, image), np.asarray(expected))


def test_features_are_those_of_the_views(encoded: list[bytes]) -> None:
    data, ctx = streamed(), SimpleNamespace(setup=set_up("cpu", "fp32"), device=CPU)
    found = extract(ctx, lambda x: x.flatten(1), data, expand(VIEWS), batch=33)
    expected = torch.cat(list(plain_views(data, expand(VIEWS), CPU, 0, 75, 75)))
    assert torch.equal(found, expected.flatten(1))


class Killed(Exception):
    """Stands for a process that dies."""


def trained(
    folder: Path, data: ImageSet, workers: int, monkeypatch: pytest.MonkeyPatch, die_at: int = -1
) -> Tensor:
    """The weights that a linear classifier has after six steps, made with a checkpoint at each."""

    class Linear(CrossEntropy):
        def after_step(self, step: int) -> None:
            if step == die_at:
                raise Killed

    monkeypatch.setenv("REPRO_WORKERS", str(workers))
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, CLASSES))
    method = Linear(CrossEntropy.Options(name="cross_entropy"), encoder, nn.Identity())
    views = expand({"policy": "crop-flip", "jitter": {}})
    training: Any = {"epochs": 2, "batch": Batch(size=35), "optimizer": Optimizer(lr=0.01)}
    options: Any = SimpleNamespace(views=views, **dict(TrainingOptions(kind="train", **training)))
    folder.mkdir(exist_ok=True)
    recipe: Any = SimpleNamespace(id="r")
    ctx = Context(recipe, "s", 0, set_up("cpu", "fp32"), folder, lambda _: data, checkpoint_every=0.0)
    fit(ctx, method, data, options)
    return encoder[1].weight.detach()


def test_training_goes_on_as_if_it_had_not_been_killed(
    encoded: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = streamed()
    whole = trained(tmp_path / "whole", data, 0, monkeypatch)
    with pytest.raises(Killed):
        trained(tmp_path / "cut", data, 1, monkeypatch, die_at=4)
    assert (tmp_path / "cut" / "checkpoint.safetensors").exists()
    assert torch.equal(trained(tmp_path / "cut", data, 0, monkeypatch), whole)


# Bicubic on tensors


def test_bicubic_is_pillows() -> None:
    rng = np.random.default_rng(0)
    for height, width, size in ((40, 61, 16), (9, 12, 20), (64, 64, 64), (50, 33, 31)):
        image = rng.integers(0, 256, (height, width), np.uint8)
        for _ in range(6):
            h, w = rng.integers(1, height + 1), rng.integers(1, width + 1)
            top, left = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
            part = Image.fromarray(image).crop((left, top, left + w, top + h))
            expected = np.asarray(two_passes(part, size, "bicubic")).astype(int)
            boxes = Boxes(*(torch.tensor([int(x)]) for x in (top, left, h, w)))
            pixels = torch.from_numpy(image)[None, None].float() / 255
            ours = crop_resize(pixels, boxes, size, torch.tensor([False]), "bicubic")[0, 0] * 255
            assert ours.min() >= 0 and ours.max() <= 255
            difference = np.abs(ours.numpy() - expected)
            assert difference.max() <= 1.3 and difference.mean() < 0.4


# The declared sets


def test_new_sets_are_listed_with_the_way_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REPRO_DATA", "REPRO_CACHE", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    done = CliRunner().invoke(data_command, ["list"])
    for name in ("stl10", "tiny_imagenet", "imagenet1k", "imagenet100"):
        assert f"{name} is missing: " in done.stdout and f"`repro data get {name}`" in done.stdout
        declared = declaration(name)
        assert declared.splits.keys() >= {"train", "test"}
        small = look_alike(name, "train", 8, 0)
        assert isinstance(small.images, Tensor) and small.images.shape == (8, 3, 64, 64)
    assert "accept the licence at https://huggingface.co/datasets/ILSVRC/imagenet-1k" in done.stdout
    assert "valid-*.parquet" in done.stdout and "validation-*.parquet" in done.stdout
    assert look_alike("stl10", "unlabeled", 8, 0).labels.tolist() == [-1] * 8


def test_unlabelled_rows_have_no_label_and_grey_ones_three_channels(root: Path) -> None:
    changes = {"varied": False, "any_mode": True, "unlabelled": ["more"], "source": declared_source()}
    splits = {"train": 2, "more": 3}
    declare_set("some", splits=splits, fingerprints={s: {} for s in splits}, **changes)
    grey = [encode(picture(i, SIZE, SIZE), "PNG", "L") for i in range(3)]
    write(root / "data" / "some" / "train-0.parquet", list(grey[:2]), [0, 3])
    file = root / "data" / "some" / "more-0.parquet"
    pq.write_table(table(list(grey), [0] * 3).drop_columns(["label"]), file)
    assert load("some", "more").labels.tolist() == [-1] * 3 and load("some", "train").labels.tolist() == [
        0,
        3,
    ]
    images = load("some", "more").images
    assert torch.equal(images[:, 0], images[:, 2]) and np.array_equal(images[1, 0], opened(grey[1], 1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unlabelled": ["trian"]}, "no split `trian`"),
        ({"source": {"bundled": "a:b"}}, "cannot be `varied`"),
    ],
)
def test_a_wrong_declaration_is_told(root: Path, changes: dict[str, Any], message: str) -> None:
    declare_set(**changes)
    with pytest.raises(UserError, match=message):
        declaration("wide")


def test_the_number_of_workers_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    from repro.views.workers import default_workers

    monkeypatch.delenv("REPRO_WORKERS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(48), raising=False)
    assert default_workers() == 16
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    assert default_workers() == 6
    monkeypatch.setenv("REPRO_WORKERS", "3")
    assert default_workers() == 3
    monkeypatch.setenv("REPRO_WORKERS", "all")
    with pytest.raises(UserError, match="REPRO_WORKERS"):
        default_workers()


# Workers that die, and little shared memory


def test_a_worker_that_dies_is_told_in_one_line(encoded: list[bytes]) -> None:
    data = streamed()
    upcoming, total = plan(data)
    source = loader(data, expand(VIEWS), CPU, upcoming, total, workers=2)
    source(0)
    before = signal.getsignal(signal.SIGCHLD)
    for child in psutil.Process().children():
        child.kill()
    with pytest.raises(UserError, match=r"has died .*REPRO_WORKERS") as told:
        for step in range(1, total):
            source(step)
    source.close()
    assert "\n" not in str(told.value) and signal.getsignal(signal.SIGCHLD) is before


def test_workers_leave_signals_to_the_main_process(encoded: list[bytes]) -> None:
    """What is sent to all processes of a group must not cost the main one its data before it has stopped."""
    data = streamed()
    upcoming, total = plan(data)
    others = psutil.Process().children()  # of other tests
    source = loader(data, expand(VIEWS), CPU, upcoming, total, workers=2)
    source(0)
    helpers = [child for child in psutil.Process().children() if child not in others]
    for number in STOPS:
        for helper in helpers:
            helper.send_signal(number)
    same([source(step) for step in range(1, total)], fed(data, range(1, total)))
    source.close()
    assert len(helpers) == 2 and not psutil.wait_procs(helpers, timeout=10)[1]


def test_little_shared_memory_makes_no_difference(
    encoded: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = streamed()
    alone = fed(data)
    monkeypatch.setattr(workers.Crops, "_room", lambda self, size: False)
    same(fed(data, workers=2), alone)


def own_mounts() -> bool:
    """Whether a process may have a /dev/shm of its own: for that it has to be root, on Linux."""
    return bool(shutil.which("unshare")) and not subprocess.run(["unshare", "-m", "true"]).returncode


@pytest.mark.skipif(not own_mounts(), reason="needs root, to mount a small /dev/shm of its own")
def test_a_small_dev_shm_is_enough(root: Path) -> None:
    """Views of 2 × 32 × 3 × 224² bytes a chunk, through a /dev/shm of 200 kB."""
    declare_set(
        splits={"train": 64}, fingerprints={"train": {}}, source=declared_source(), shape=[3, 224, 224]
    )
    images = [encode(picture(i, 230, 240), "JPEG") for i in range(64)]
    write(root / "data" / "wide" / "train-0.parquet", list(images), [0] * 64)
    views = {"policy": "crop-flip", "count": 2}
    code = (
        f"from pathlib import Path; from repro.data import declare; declare.SETS = Path({str(declare.SETS)!r})\n"
        "from tests.test_stream import fed, streamed\n"
        f"print(*(v['views'].double().sum().item() for v in fed(streamed(), workers=2, views={views})))"
    )
    mount = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=200k none /dev/shm && exec "$@"', "sh"]
    done = subprocess.run(
        [*mount, sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and "/dev/shm is small" in done.stderr, done.stderr
    sums = [v["views"].double().sum().item() for v in fed(streamed(), views=views)]
    assert [*map(float, done.stdout.split())] == pytest.approx(sums, rel=1e-12)
