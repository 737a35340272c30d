"""Data sets: declared, found, decoded, verified, cached."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from repro.cli.data import command as data_command
from repro.data import cache, declare
from repro.data.available import available, find_files, lacking
from repro.data.declare import DataSet, declaration, names
from repro.data.encoded import converted, opened
from repro.data.file import File
from repro.data.fingerprint import fingerprint
from repro.data.load import get, load, look_alike, verify
from repro.errors import UserError
from tests.conftest import ROOT, own_data, repro

REAL = os.environ.get("REPRO_DATA")
needs_real = pytest.mark.skipif(not REAL, reason="REPRO_DATA is not set: no real data sets here")
ROWS, SHAPE, CLASSES = {"train": 12, "test": 5}, (3, 4, 6), 3
Arrays = dict[str, tuple[np.ndarray, np.ndarray]]
Declare = Callable[..., DataSet]


@pytest.fixture
def arrays() -> Arrays:
    """Random images (n, C, H, W) and labels of each split."""
    rng = np.random.default_rng(0)
    return {
        split: (rng.integers(0, 256, (n, *SHAPE), np.uint8), rng.integers(0, CLASSES, n))
        for split, n in ROWS.items()
    }


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty $REPRO_DATA, cache and hub cache; and a place for declarations in which `tiny` is declared."""
    own_data(tmp_path, monkeypatch)
    declare_set("tiny", {split: {} for split in ROWS})
    return tmp_path


def declare_set(name: str, fingerprints: dict[str, object], **changes: object) -> None:
    values = {
        "title": "Random images",
        "licence": "none",
        "citation": "none",
        "splits": ROWS,
        "shape": SHAPE,
        "classes": CLASSES,
        "mean": [0.5] * 3,
        "std": [0.25] * 3,
        "source": {"hub": {"repo": "someone/tiny", "image": "img", "label": "label", "mb": 1}},
        "fingerprints": fingerprints,
        **changes,
    }
    (declare.SETS / f"{name}.yaml").write_text(json.dumps(values), encoding="utf-8")
    declare._read.cache_clear()


def png(image: np.ndarray, mode: str | None = None) -> bytes:
    """image (C, H, W) -> PNG bytes."""
    file = io.BytesIO()
    picture = Image.fromarray(image.transpose(1, 2, 0).squeeze())
    (picture.convert(mode) if mode else picture).save(file, "PNG")
    return file.getvalue()


def write(path: Path, encoded: Sequence[bytes | None], labels: Sequence[int], image: str = "img") -> Path:
    """One Parquet file in the hub's layout."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [{"bytes": e, "path": None} for e in encoded]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pa.table({image: pa.array(cells, kind), "label": pa.array(labels, pa.int64())}), path)
    return path


def write_all(folder: Path, arrays: Arrays) -> None:
    """Every split in two parts."""
    for split, (images, labels) in arrays.items():
        half = len(images) // 2
        for part, rows in enumerate((slice(half), slice(half, None))):
            path = folder / f"{split}-{part:05d}-of-00002.parquet"
            write(path, [png(i) for i in images[rows]], labels[rows].tolist())


def equal(found, arrays: Arrays) -> bool:
    images, labels = arrays[found.split]
    return np.array_equal(found.images, images) and np.array_equal(found.labels, labels)


# Declarations


def test_declared_sets_are_valid_and_near_misses_are_named() -> None:
    assert {"camera", "cifar10", "cifar100", "digits", "fashion_mnist", "mnist", "omniglot"} <= set(names())
    for name in names():
        assert declaration(name).how_to_get
    with pytest.raises(UserError, match="did you mean `cifar100`"):
        declaration("cifar_100")
    with pytest.raises(UserError, match="has no split `tests`; did you mean `test`"):
        load("digits", "tests")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shpae": [1, 2, 3]}, "did you mean `shape`"),
        ({"mean": [0.5]}, "each of the 1 or 3 channels"),
        ({"source": {}}, "exactly one of"),
        ({"classes": {"train": 3}}, "the same keys"),
        ({"fingerprints": {"train": {"content": "12"}, "test": {}}}, "tiny.yaml:1"),
    ],
)
def test_a_wrong_declaration_is_told(root: Path, change: dict, message: str) -> None:
    declare_set("tiny", **{"fingerprints": {s: {} for s in ROWS}, **change})
    with pytest.raises(UserError, match=message):
        declaration("tiny")


# Decoding


def test_parts_are_joined_in_order(root: Path, arrays: Arrays) -> None:
    write_all(root / "data" / "tiny", arrays)
    assert available("tiny") == "REPRO_DATA"
    for split in ROWS:
        found = load("tiny", split)
        assert equal(found, arrays)
        assert (found.images.dtype, found.labels.dtype, found.classes) == (torch.uint8, torch.int64, CLASSES)
        assert found.deviations == []
    assert available("tiny") == "cache"


def test_bitmaps_become_black_and_white(root: Path) -> None:
    bitmap = np.random.default_rng(0).integers(0, 2, (2, 1, 5, 7), np.uint8) * 255
    changes = {"shape": [1, 5, 7], "mean": [0.5], "std": [0.5], "splits": {"train": 2}}
    source = {"parquet": {"image": "image", "label": "label"}}
    declare_set("bits", {"train": {}}, source=source, **changes)
    encoded = [png(b, "1") for b in bitmap]
    assert Image.open(io.BytesIO(encoded[0])).mode == "1"
    write(root / "data" / "bits" / "train-0.parquet", encoded, [0, 1], "image")
    assert np.array_equal(load("bits", "train").images, bitmap)


def test_what_is_missing_is_told_with_the_way_to_get_it(root: Path) -> None:
    assert available("tiny") is None
    with pytest.raises(
        UserError, match=r"run `repro data get tiny` \(1 MB\), or put train-\*\.parquet.*REPRO"
    ):
        load("tiny", "train")
    source = {"parquet": {"image": "image", "label": "label"}}
    declare_set("own", {s: {} for s in ROWS}, source=source)
    for action in (lambda: load("own", "train"), lambda: get("own")):
        with pytest.raises(
            UserError, match=r"put train-\*\.parquet.*`image` and `label` into \$REPRO_DATA/own"
        ):
            action()


def damage(file: Path, arrays: Arrays, how: str) -> None:
    """Rewrites the only file of the test split with one fault."""
    images, labels = arrays["test"]
    encoded: list[bytes | None] = [png(i) for i in images]
    numbers, image = labels.tolist(), "img"
    match how:
        case "rows":
            encoded, numbers = encoded[1:], numbers[1:]
        case "column":
            image = "image"
        case "undecodable":
            encoded[3] = b"no image at all"
        case "cut image":
            encoded[3] = png(images[3])[:60]
        case "no bytes":
            encoded[3] = None
        case "size":
            encoded[3] = png(images[3][:, :2])
        case "mode":
            encoded[3] = png(images[3], "L")
        case "label":
            numbers[3] = CLASSES
    write(file, encoded, numbers, image)
    if how == "cut file":
        file.write_bytes(file.read_bytes()[:-50])
    if how == "empty file":
        file.write_bytes(b"")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("rows", "has 5 rows, and the 1 file.* have 4"),
        ("column", "no column `img` .there are image, label"),
        ("undecodable", "row 3: cannot identify image"),
        ("cut image", "row 3: "),
        ("no bytes", "row 3: there are no image bytes"),
        ("size", "row 3: the image has 6×2 pixels of mode RGB, expected 6×4"),
        ("mode", "row 3: the image has 6×4 pixels of mode L, expected 6×4 of mode RGB"),
        ("label", "labels go from . to 3; expected 0 to 2"),
        ("cut file", "damaged or incomplete .*repro data get tiny"),
        ("empty file", "damaged or incomplete"),
    ],
)
def test_a_faulty_file_is_named_with_its_fault(root: Path, arrays: Arrays, how: str, message: str) -> None:
    file = root / "data" / "tiny" / "test-00000-of-00001.parquet"
    damage(file, arrays, how)
    with pytest.raises(UserError, match=message) as told:
        load("tiny", "test")
    assert str(file) in str(told.value)
    assert not list((root / "cache").rglob("*"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_images_never_end_in_a_traceback(root: Path, arrays: Arrays, data: st.DataObject) -> None:
    images, labels = arrays["test"]
    encoded = bytearray(png(images[0]))
    for _ in range(data.draw(st.integers(1, 4))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    rest = [png(i) for i in images[1:]]
    write(root / "data" / "tiny" / "test-0.parquet", [bytes(encoded), *rest], labels.tolist())
    try:
        assert load("tiny", "test").images.shape == (5, *SHAPE)
    except UserError as error:
        assert "row 0" in str(error)


# Fingerprints


def transcribed(images: np.ndarray, labels: np.ndarray) -> tuple[str, str]:
    """The definition, word by word and slowly."""
    n, shape = len(images), images.shape[1:]
    pixels = [bytes(int(v) for v in image.flatten()) for image in images]
    numbers = [struct.pack("<q", int(label)) for label in labels]
    header = f"uint8 {(n, *shape)}\n".encode()
    ordered = header + b"".join(pixels) + f"int64 ({n},)\n".encode() + b"".join(numbers)
    rows = sorted(hashlib.sha256(p + q).digest() for p, q in zip(pixels, numbers, strict=True))
    return hashlib.sha256(ordered).hexdigest(), hashlib.sha256(header + b"".join(rows)).hexdigest()


@given(n=st.integers(1, 6), seed=st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_fingerprint_follows_its_definition_and_content_ignores_order(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    images, labels = rng.integers(0, 256, (n, 1, 2, 3), np.uint8), rng.integers(0, 9, n)
    found = fingerprint(torch.from_numpy(images), torch.from_numpy(labels))
    assert found == transcribed(images, labels)
    order = rng.permutation(n)
    moved = fingerprint(torch.from_numpy(images[order]), torch.from_numpy(labels[order]))
    assert moved.content == found.content
    assert (moved.ordered == found.ordered) == (
        np.array_equal(images, images[order]) and np.array_equal(labels, labels[order])
    )


def test_another_order_is_a_deviation_and_another_pixel_an_error(root: Path, arrays: Arrays) -> None:
    ordered, content = transcribed(*arrays["test"])
    swapped = tuple(a[[1, 0, 2, 3, 4]] for a in arrays["test"])
    copy = {"sha": transcribed(*swapped)[0], "note": "rows 0 and 1 swapped"}
    reverse = tuple(np.ascontiguousarray(a[::-1]) for a in arrays["test"])
    known = {"train": {}, "test": {"content": content, "ordered": [{"sha": ordered}, copy]}}
    declare_set("tiny", known)
    altered = arrays["test"][0].copy()
    altered[2, 1, 0, 3] ^= 1

    def here(rows: tuple[np.ndarray, np.ndarray]):
        write_all(root / "data" / "tiny", {"test": rows})
        return load("tiny", "test").deviations, verify("tiny", "test")

    deviations, result = here(arrays["test"])
    assert (deviations, result.content, result.ordered) == ([], "verified", "verified")
    deviations, result = here(swapped)
    assert [d.here for d in deviations] == ["rows 0 and 1 swapped"] and result.ordered == "known copy"
    deviations, result = here(reverse)
    assert [d.here for d in deviations] == ["an order that is not on record"] and result.ordered == "differs"
    assert not deviations[0].disqualifies
    with pytest.raises(UserError, match="are not those of the release"):
        here((altered, arrays["test"][1]))
    assert verify("tiny", "test").content == "differs"


# The decoded cache


def test_decoded_rows_serve_again_also_without_the_files(
    root: Path, arrays: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all(root / "data" / "tiny", arrays)
    first = load("tiny", "train")
    monkeypatch.setattr("repro.data.load.decode", None)
    assert equal(load("tiny", "train"), arrays)
    monkeypatch.delenv("REPRO_DATA")
    again = load("tiny", "train")
    assert equal(again, arrays) and again.fingerprint == first.fingerprint


def test_a_changed_file_is_decoded_anew_in_place_of_the_old(root: Path, arrays: Arrays) -> None:
    write_all(root / "data" / "tiny", arrays)
    load("tiny", "train")
    changed = {"train": (255 - arrays["train"][0], arrays["train"][1])}
    write_all(root / "data" / "tiny", changed)
    assert equal(load("tiny", "train"), changed)
    assert len(list((root / "cache" / "data").iterdir())) == 1


@pytest.mark.parametrize("size", [0, 7, 200])
def test_a_cut_cache_file_is_made_anew(
    root: Path, arrays: Arrays, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    write_all(root / "data" / "tiny", arrays)
    load("tiny", "train")
    (file,) = (root / "cache" / "data").iterdir()
    file.write_bytes(file.read_bytes()[:size])
    assert equal(load("tiny", "train"), arrays) and "made anew" in caplog.text
    caplog.clear()
    assert equal(load("tiny", "train"), arrays) and not caplog.text


def test_verify_finds_a_changed_byte_in_the_cache(
    root: Path, arrays: Arrays, caplog: pytest.LogCaptureFixture
) -> None:
    write_all(root / "data" / "tiny", arrays)
    load("tiny", "train")
    (file,) = (root / "cache" / "data").iterdir()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    verify("tiny", "train")
    assert "it has changed" in caplog.text and equal(load("tiny", "train"), arrays)


@pytest.mark.parametrize("how", ["full", "no folder"])
def test_a_cache_that_cannot_be_written_does_not_matter(
    root: Path, arrays: Arrays, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    def full(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    write_all(root / "data" / "tiny", arrays)
    if how == "full":
        monkeypatch.setattr(cache, "save_file", full)
    else:
        (root / "cache").write_text("a file where the folder should be")
    assert equal(load("tiny", "train"), arrays)
    assert "going on without" in caplog.text
    assert not list((root / "cache").rglob("*.*"))


# The hub, bundled sets, look-alikes


def test_hub_copy_is_fetched_and_found_again_offline(
    root: Path, arrays: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    from datasets.naming import filenames_for_dataset_split
    from datasets.packaged_modules.parquet.parquet import Parquet

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", root / "hub")
    monkeypatch.delenv("REPRO_DATA")
    for split, (images, labels) in arrays.items():
        columns = {"img": [Image.open(io.BytesIO(png(i))) for i in images], "label": labels.tolist()}
        kinds = {"img": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog", "frog"])}
        folder = root / "repository" / f"{split}-00000-of-00001.parquet"
        folder.parent.mkdir(exist_ok=True)
        datasets.Dataset.from_dict(columns, datasets.Features(kinds)).to_parquet(folder)
    assert all(equal(found, arrays) for found in get("tiny", str(root / "repository")))
    assert available("tiny") == "cache" and all(equal(found, arrays) for found in get("tiny"))

    # Where `datasets` keeps a copy that has the name of a repository.
    for file in (root / "cache" / "data").iterdir():
        file.unlink()
    kept = Path(Parquet(str(root / "hub"), "tiny", repo_id="someone/tiny", hash="0" * 40).cache_dir)
    kept.mkdir(parents=True)
    for split in ROWS:
        (written,) = (root / "hub" / "repository").rglob(f"*-{split}.arrow")
        written.rename(filenames_for_dataset_split(str(kept), "tiny", split, "arrow")[0])
    assert available("tiny") == "hub cache"
    assert all(equal(load("tiny", split), arrays) for split in ROWS)
    assert available("tiny") == "cache"


def test_a_failed_fetch_is_one_clear_sentence(root: Path) -> None:
    with pytest.raises(UserError, match=r"`tiny` could not be fetched from .*nowhere"):
        get("tiny", str(root / "nowhere"))


def test_an_unfinished_download_is_not_taken_for_data(root: Path) -> None:
    folder = root / "hub" / "someone___tiny" / "default" / "0.0.0" / "abc.incomplete"
    folder.mkdir(parents=True)
    (folder / "tiny-train.arrow").write_bytes(b"")
    assert find_files(declaration("tiny"), "train") is None


@pytest.mark.parametrize("name", ["digits", "camera"])
def test_bundled_sets_are_the_declared_ones(name: str) -> None:
    declared = declaration(name)
    assert available(name) == "bundled"
    for split, rows in declared.splits.items():
        found = load(name, split)
        assert found.images.shape == (rows, *declared.shape) and found.deviations == []
        assert verify(name, split).content == "verified"
    pixels = load(name, "train").images.double() / 255
    assert pixels.mean().item() == pytest.approx(declared.mean[0], abs=1e-6)
    assert pixels.std(correction=0).item() == pytest.approx(declared.std[0], abs=1e-6)


def test_digits_scale_and_split_by_position() -> None:
    from sklearn.datasets import load_digits

    original = load_digits()
    images = torch.cat([load("digits", split).images for split in ("train", "test")]).squeeze(1)
    assert np.array_equal(torch.round(images / 255 * 16), original.images)
    assert load("digits", "test").labels.tolist() == original.target[1437:].tolist()


@pytest.mark.parametrize("name", ["cifar100", "digits", "omniglot"])
def test_look_alikes_have_the_shape_classes_and_are_reproducible(name: str) -> None:
    declared = declaration(name)
    first, again, other = (look_alike(name, "train", 16, key) for key in (1, 1, 2))
    assert first.images.shape == (16, *declared.shape) and first.images.dtype == torch.uint8
    assert torch.equal(first.images, again.images) and not torch.equal(first.images, other.images)
    assert first.labels.unique().tolist() == [0, 1, 2, 3]
    assert first.classes == declared.classes_in("train")
    test = look_alike(name, "test", 16, 3)
    means = [
        torch.stack([s.images[s.labels == c].float().mean((0, 2, 3)) for c in range(4)])
        for s in (first, test)
    ]
    assert torch.allclose(*means, atol=16) and not torch.allclose(means[0][0], means[0][1], atol=1)


# The command line


def test_list_needs_no_torch_and_says_what_is_missing(tmp_path: Path) -> None:
    code = (
        "import sys; from repro.cli.data import command; command(['list', '--json'], standalone_mode=False); "
        "sys.exit(any(m in sys.modules for m in ('torch', 'numpy', 'pyarrow', 'datasets')))"
    )
    environment = {**os.environ, "REPRO_DATA": str(tmp_path), "REPRO_CACHE": str(tmp_path)}
    environment |= {"HF_HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    sets = {s["name"]: s for s in json.loads(done.stdout)}
    assert sets["digits"]["available"] == "bundled" and sets["cifar10"]["available"] is None
    assert "repro data get cifar10" in sets["cifar10"]["how_to_get"]
    assert sets["mnist"]["splits"] == {"train": 60000, "test": 10000}


def test_verify_tells_by_its_status(root: Path, arrays: Arrays) -> None:
    ordered, content = transcribed(*arrays["test"])
    declare_set("tiny", {"train": {}, "test": {"content": content, "ordered": [{"sha": ordered}]}})
    write_all(root / "data" / "tiny", arrays)
    done = CliRunner().invoke(data_command, ["verify", "tiny", "--json"])
    assert done.exit_code == 0
    assert [r["content"] for r in json.loads(done.stdout)] == ["not on record", "verified"]
    write_all(root / "data" / "tiny", {**arrays, "test": (255 - arrays["test"][0], arrays["test"][1])})
    done = CliRunner().invoke(data_command, ["verify"])
    assert done.exit_code == 1 and "differs" in done.stdout


def test_get_names_a_mistake_before_any_work(root: Path, arrays: Arrays) -> None:
    write_all(root / "data" / "tiny", arrays)
    done = CliRunner().invoke(data_command, ["get", "tiny", "tinny"])
    assert "did you mean `tiny`" in str(done.exception) and not (root / "cache").exists()
    done = CliRunner().invoke(data_command, ["get", "tiny"])
    assert done.stdout == "tiny: train 12, test 5\n"


def test_a_wrong_name_ends_with_status_2() -> None:
    done = repro("data", "verify", "cifar1O")
    assert done.returncode == 2 and "did you mean `cifar10`" in done.stderr and "Traceback" not in done.stderr


# The real sets


def idx(array: np.ndarray) -> bytes:
    """The IDX format: magic number, big-endian sizes, bytes."""
    return (
        struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
    )


@needs_real
def test_mnist_test_images_have_the_published_checksums() -> None:
    found = load("mnist", "test")
    assert hashlib.md5(idx(found.images[:, 0].numpy())).hexdigest() == "2646ac647ad5339dbf082846283269ea"
    assert hashlib.md5(idx(found.labels.numpy())).hexdigest() == "27ae3e4e09519cfbb04c329615203637"


@needs_real
@pytest.mark.long
def test_cifar10_test_images_have_the_published_checksum() -> None:
    found = load("cifar10", "test")
    records = np.concatenate([found.labels.numpy()[:, None], found.images.flatten(1).numpy()], 1)
    digest = hashlib.md5(records.astype(np.uint8).tobytes()).hexdigest()
    assert digest == "803d5f7f4d78ea53de84dbe85f74fb6d"


@needs_real
@pytest.mark.long
@pytest.mark.parametrize("name", ["cifar10", "cifar100", "mnist", "omniglot"])
def test_real_sets_are_the_declared_ones(name: str) -> None:
    if available(name) is None:
        pytest.skip(f"{name} is not here")
    declared = declaration(name)
    for split, rows in declared.splits.items():
        found = load(name, split)
        assert found.images.shape == (rows, *declared.shape)
        assert found.labels.unique().tolist() == list(range(declared.classes_in(split)))
        assert verify(name, split).content == "verified"
    pixels = load(name, "train").images.transpose(0, 1).flatten(1)
    counts = torch.stack([torch.bincount(channel, minlength=256) for channel in pixels]).double()
    grey = torch.arange(256).double() / 255
    mean = (counts * grey).sum(1) / counts.sum(1)
    std = ((counts * (grey - mean[:, None]) ** 2).sum(1) / counts.sum(1)).sqrt()
    assert torch.allclose(mean, torch.tensor(declared.mean).double(), atol=1e-6)
    assert torch.allclose(std, torch.tensor(declared.std).double(), atol=1e-6)


# Edges


@pytest.mark.parametrize("at", [300, -1, -200])
def test_a_changed_byte_in_the_cache_is_never_trained_on(
    root: Path, arrays: Arrays, caplog: pytest.LogCaptureFixture, at: int
) -> None:
    write_all(root / "data" / "tiny", arrays)
    load("tiny", "train")
    (file,) = (root / "cache" / "data").iterdir()
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)
    assert equal(load("tiny", "train"), arrays) and "made anew" in caplog.text


def test_a_changed_fingerprint_in_the_cache_is_made_anew(root: Path, arrays: Arrays) -> None:
    ordered, content = transcribed(*arrays["test"])
    declare_set("tiny", {"train": {}, "test": {"content": content, "ordered": [{"sha": ordered}]}})
    write_all(root / "data" / "tiny", arrays)
    load("tiny", "test")
    (file,) = (root / "cache" / "data").iterdir()
    other = ("0" if content[0] != "0" else "1") + content[1:]
    file.write_bytes(file.read_bytes().replace(content.encode(), other.encode()))
    assert equal(load("tiny", "test"), arrays)
    assert verify("tiny", "test").content == "verified"


def test_a_dead_link_is_told_where_it_matters_and_listed_as_missing(root: Path, arrays: Arrays) -> None:
    write_all(root / "data" / "tiny", arrays)
    file = root / "data" / "tiny" / "test-00000-of-00002.parquet"
    file.unlink()
    file.symlink_to(root / "gone.parquet")
    with pytest.raises(UserError, match=r"test-00000.* is a link to .*gone\.parquet, which is not there"):
        load("tiny", "test")
    assert available("tiny") is None and "gone.parquet" in lacking("tiny")
    done = CliRunner().invoke(data_command, ["list"])
    assert done.exit_code == 0 and "gone.parquet" in done.stdout


def test_a_file_that_goes_is_missing_and_not_damaged(root: Path, arrays: Arrays) -> None:
    write_all(root / "data" / "tiny", arrays)
    files = find_files(declaration("tiny"), "test")
    assert files is not None
    opened_late = File(files.paths[0], files.columns, "bring it back")
    files.paths[0].unlink()
    with pytest.raises(UserError, match="is not there any more; bring it back"):
        len(opened_late)


def test_what_other_systems_leave_beside_files_is_ignored(root: Path, arrays: Arrays) -> None:
    write_all(root / "data" / "tiny", arrays)
    for name in ("._train-00000-of-00002.parquet", ".DS_Store", "._tiny.parquet"):
        (root / "data" / "tiny" / name).write_bytes(b"\0\5\26\7")
    (declare.SETS / "._tiny.yaml").write_bytes(b"\0\5\26\7\xff")
    assert names() == ["tiny"] and equal(load("tiny", "train"), arrays)


@pytest.mark.parametrize("mode", ["P", "LA", "RGBA", "CMYK", "L", "1"])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_any_mode_are_converted_as_pillow_does(mode: str, channels: int) -> None:
    rng = np.random.default_rng(1)
    picture = Image.fromarray(rng.integers(0, 256, (6, 7, 3), np.uint8)).convert(mode)
    expected = picture.convert("RGB" if channels == 3 else "L")
    assert np.array_equal(np.asarray(converted(picture, channels)), np.asarray(expected))


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_scaled_and_not_clipped(channels: int) -> None:
    deep = np.random.default_rng(2).integers(0, 2**16, (6, 7)).astype(np.uint16)
    file = io.BytesIO()
    Image.fromarray(deep).save(file, "PNG")
    found = np.asarray(opened(file.getvalue(), channels))
    assert np.array_equal(found if channels == 1 else found[..., 2], deep // 256)


def test_a_changed_set_loses_its_fingerprint(root: Path, arrays: Arrays) -> None:
    write_all(root / "data" / "tiny", arrays)
    data = load("tiny", "train")
    assert data.having(image=255 - data.images).fingerprint is None and data.fingerprint
    sources = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "repro").rglob("*.py"))
    assert not re.findall(r"\breplace\(\w+, images=", sources)  # which would keep the old one
