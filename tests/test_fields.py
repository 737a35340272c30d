"""Sets of text, tables and graphs: declared, read, fitted by the training rows, fingerprinted."""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repro.data import declare
from repro.data.available import available, lacking
from repro.data.declare import declaration, every
from repro.data.load import get, load, look_alike, verify
from repro.data.table import Ragged, Stream
from repro.errors import UserError
from tests.conftest import own_data

REAL = Path(os.environ.get("REPRO_DATA") or "/nowhere")  # make exports an empty one where there is none
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="REPRO_DATA is not set: no real data sets here")
TEXTS = {"train": ["A cat, a cat!", "the dog's", "a Dog"], "test": ["A bird", "cat"]}
TABLE = {
    "train": {"a": [1.0, None, 3.0], "b": [2, 2, 2], "c": ["x", None, "y"], "t": [0.5, 1.5, 4.0]},
    "test": {"a": [None, 5.0], "b": [3, 4], "c": ["z", "y"], "t": [1.0, 2.0]},
}
FEATURES = {
    "kind": "features",
    "numbers": ["a", "b"],
    "categories": ["c"],
    "missing": "mean",
    "standardise": True,
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    own_data(tmp_path, monkeypatch)
    return tmp_path


def declare_set(name: str, splits: Mapping[str, int], **values: Any) -> None:
    whole = {
        "title": "t",
        "licence": "none",
        "citation": "none",
        "splits": dict(splits),
        "source": {"parquet": {}},
        "fingerprints": {split: {} for split in splits},
        **values,
    }
    (declare.SETS / f"{name}.yaml").write_text(json.dumps(whole), encoding="utf-8")
    declare._read.cache_clear()


def write(path: Path, columns: Mapping[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), path)
    return path


def write_all(root: Path, name: str, columns: Mapping[str, Mapping[str, Any]]) -> None:
    for split, found in columns.items():
        write(root / "data" / name / f"{split}-0.parquet", found)


def texts(root: Path, **changes: Any) -> None:
    values: dict[str, Any] = {
        "shape": [8, 10],
        "classes": 2,
        "fields": {
            "tokens": {"kind": "tokens", "columns": ["text"]},
            "label": {"kind": "label", "column": "y"},
        },
        "vocabulary": {"by": "words", "lower": True, "limit": 10},
    }
    declare_set("texts", {s: len(t) for s, t in TEXTS.items()}, **values | changes)
    write_all(root, "texts", {s: {"text": t, "y": [i % 2 for i in range(len(t))]} for s, t in TEXTS.items()})


def numbers(root: Path, **changes: Any) -> None:
    fields = {"features": FEATURES, "target": {"kind": "target", "column": "t", "standardise": True}}
    declare_set("numbers", {"train": 3, "test": 2}, **{"shape": [4], "fields": fields, **changes})
    write_all(root, "numbers", TABLE)


# Text


def words(text: str) -> list[str]:
    """Letter by letter: runs of letters, digits and underscores, and other signs one by one."""
    found, run = [], ""
    for sign in [*text.lower(), " "]:
        if sign.isalnum() or sign == "_":
            run += sign
            continue
        found += [run] if run else []
        found += [] if sign.isspace() else [sign]
        run = ""
    return found


def vocabulary(texts: list[str], limit: int) -> dict[str, int]:
    counts = Counter(word for text in texts for word in words(text))
    ordered = sorted(counts, key=lambda word: (-counts[word], word))[: limit - 5]
    return {word: 5 + place for place, word in enumerate(ordered)}


def test_text_becomes_tokens_of_the_training_words(root: Path) -> None:
    texts(root)
    known = vocabulary(TEXTS["train"], 10)
    assert known == {"a": 5, "cat": 6, "dog": 7, "!": 8, "'": 9}
    for split, rows in TEXTS.items():
        found = load("texts", split)
        expected = [[known.get(word, 1) for word in words(text)] for text in rows]
        assert [found["tokens"][torch.tensor([i])].values.tolist() for i in range(len(rows))] == expected
        assert found.labels.tolist() == [i % 2 for i in range(len(rows))] and found.classes == 2
        assert found.facts["vocabulary"].encode("a cat flies") == [5, 6, 1]
        assert found.facts["vocabulary"].decode([5, 6, 1, 0]) == "a cat <unk>"


@given(st.text(max_size=30))
def test_words_are_those_read_letter_by_letter(text: str) -> None:
    from repro.data.vocabulary import Rule

    found = Rule("words", lower=True).pieces(text)
    assert "".join(found) == "".join(text.lower().split()) or not text.isascii()
    if text.isascii() and not re.search(r"[\x1c-\x1f]", text):
        assert found == words(text)
    assert Rule("characters", lower=False).pieces(text) == list(text)


def test_several_columns_are_joined_and_seldom_words_left_out(root: Path) -> None:
    fields = {"tokens": {"kind": "tokens", "columns": ["p", "q"]}}
    declare_set("pair", {"train": 2}, shape=[4, 6], fields=fields, vocabulary={"least": 2})
    write_all(root, "pair", {"train": {"p": ["a b", "a"], "q": ["c", "d e"]}})
    found = load("pair", "train")["tokens"]
    assert found.padded(5).tolist() == [[5, 1, 3, 1, 0], [5, 3, 1, 1, 0]]


def test_a_vocabulary_may_be_that_of_another_set_or_of_a_union(root: Path) -> None:
    texts(root)
    tokens = {"tokens": {"kind": "tokens", "columns": ["text"]}}
    declare_set("other", {"test": 1}, shape=[4, 10], fields=tokens, vocabulary={"of": "texts"})
    write_all(root, "other", {"test": {"text": ["the dog a cat"]}})
    known = vocabulary(TEXTS["train"], 10)
    assert load("other", "test")["tokens"].values.tolist() == [
        known.get(w, 1) for w in ["the", "dog", "a", "cat"]
    ]
    union = {"union": {"texts": ["text"], "more": ["text"]}}
    declare_set("more", {"train": 2}, shape=[4, 10], fields=tokens, vocabulary={"of": "texts"})
    declare_set("both", {"train": 4}, shape=[4, 15], fields=tokens, vocabulary={"lower": True}, source=union)
    assert available("both") is None and lacking("both").startswith("it needs `more`; put train-*.parquet")
    write_all(root, "more", {"train": {"text": ["new words", "a Dog"]}})
    found = load("both", "train")
    tokens_of = found.facts["vocabulary"]
    assert available("both") == "REPRO_DATA" and len(found) == 4
    assert tokens_of.decode(found["tokens"][torch.tensor([3])].values.tolist()) == "new words"


def test_a_stream_is_cut_by_position(root: Path) -> None:
    stream = {"tokens": {"kind": "stream", "column": "text"}}
    options = {"fields": stream, "vocabulary": {"by": "characters"}, "whole": {"files": ["a", "b"]}}
    declare_set("book", {"train": 7, "test": 3}, shape=[4, 10], **options)
    write_all(root, "book", {"b": {"text": ["hij"]}, "a": {"text": ["abcab", "ef"]}})
    train, test = load("book", "train"), load("book", "test")
    letters = train.facts["vocabulary"]
    assert letters.tokens[5:] == ("a", "b", "c", "e", "f") and len(train) == 7 and len(test) == 3
    assert letters.decode(train["tokens"].values.tolist()) == "abcabef"
    assert test["tokens"].values.tolist() == [1, 1, 1]


# Tables


def test_features_are_filled_standardised_and_one_hot_by_the_training_rows(root: Path) -> None:
    numbers(root)
    deviation = np.std([1.0, 3.0])
    expected = {
        "train": [[-1 / deviation, 0, 1, 0], [0, 0, 0, 0], [1 / deviation, 0, 0, 1]],
        "test": [[0, 1, 0, 0], [3 / deviation, 2, 0, 1]],
    }
    for split, rows in expected.items():
        found = load("numbers", split)
        assert torch.allclose(found["features"], torch.tensor(rows, dtype=torch.float32))
        assert found["features"].dtype == found["target"].dtype == torch.float32
        mean, scale = found.facts["target"]
        assert (mean, scale) == pytest.approx((2.0, np.std([0.5, 1.5, 4.0])))
        assert torch.allclose(found["target"] * scale + mean, torch.tensor(TABLE[split]["t"]))
        assert found.labels.tolist() == [-1] * len(found) and found.scalars.keys() == {"target"}


def test_without_a_rule_what_is_missing_is_an_error(root: Path) -> None:
    features = {"kind": "features", "numbers": ["b", "a"]}
    numbers(root, shape=[2], fields={"features": features})
    for split, row in (("train", 1), ("test", 0)):
        with pytest.raises(
            UserError, match=rf"{split}-0.parquet: row {row}, column `a`: None is not a finite"
        ):
            load("numbers", split)
    write_all(root, "numbers", {"test": {"a": [1, 5], "b": [3, 4]}})
    assert load("numbers", "test")["features"].tolist() == [[3, 1], [4, 5]]  # without a look at `train`
    write_all(root, "numbers", TABLE)
    numbers(root, fields={"features": {**FEATURES, "missing": "zero", "standardise": False}})
    assert load("numbers", "train")["features"].tolist() == [[1, 2, 1, 0], [0, 2, 0, 0], [3, 2, 0, 1]]


@pytest.mark.parametrize("standardise", [True, False])
def test_numbers_too_large_for_float32_are_told(root: Path, standardise: bool) -> None:
    numbers(
        root,
        shape=[1],
        fields={"features": {"kind": "features", "numbers": ["a"], "standardise": standardise}},
    )
    write_all(root, "numbers", {"train": {"a": [1e200, -1e200, 0.0]}})
    with pytest.raises(UserError, match=r"train-0.parquet: some numbers are too large for 32 bits"):
        load("numbers", "train")


# Graphs


def graph(root: Path, edges: Mapping[str, Any] | None = None) -> None:
    fields = {"node": {"kind": "node"}, "label": {"kind": "label", "column": "y", "gaps": True}}
    options = {"whole": {"files": ["nodes"], "by": "split"}, "graph": {"features": "words"}}
    declare_set("net", {"train": 2, "test": 1}, shape=[3], classes=2, fields=fields, **options)
    nodes = {
        "y": [0, -1, 1, 1],
        "split": ["train", None, "test", "train"],
        "words": [[0, 2], [], [1], [2, 2]],
    }
    write(root / "data" / "net" / "nodes-0.parquet", nodes)
    write(root / "data" / "net" / "edges-0.parquet", edges or {"source": [0, 1], "target": [3, 2]})


def test_splits_of_a_graph_are_nodes_of_one_whole(root: Path) -> None:
    graph(root)
    train, test = load("net", "train"), load("net", "test")
    assert train["node"].tolist() == [0, 3] and train.labels.tolist() == [0, 1]
    assert test["node"].tolist() == [2] and test.labels.tolist() == [1]
    for found in (train, test):
        assert found.facts["edges"].tolist() == [[0, 1], [3, 2]]
        assert found.facts["features"].tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0], [0, 0, 1]]
    (root / "data" / "net" / "edges-0.parquet").unlink()
    assert available("net") is None
    with pytest.raises(UserError, match=r"The edges of `net` are not here: put nodes-\*.parquet, edges-\*"):
        load("net", "train")


def test_an_edge_to_nowhere_is_told(root: Path) -> None:
    graph(root, {"source": [0, 1], "target": [3, 4]})
    with pytest.raises(UserError, match=r"edges-0.parquet: row 1, column `target`: 4 is not from 0 to 3"):
        load("net", "train")


# Fingerprints


def test_fingerprints_follow_their_definition(root: Path) -> None:
    texts(root)
    rows = [
        struct.pack("<q", len(text.encode())) + text.encode() + struct.pack("<q", i % 2)
        for i, text in enumerate(TEXTS["train"])
    ]
    ordered = b"bytes (3,)\n" + b"".join(row[:-8] for row in rows)
    ordered += b"int64 (3,)\n" + b"".join(row[-8:] for row in rows)
    content = b"bytes (3,)\n" + b"".join(sorted(hashlib.sha256(row).digest() for row in rows))
    found = load("texts", "train").fingerprint
    assert found == tuple(hashlib.sha256(x).hexdigest() for x in (ordered, content))


def test_other_rows_are_refused_and_another_order_is_noted(root: Path) -> None:
    texts(root)
    found = load("texts", "train").fingerprint
    known = {"train": {"content": found.content, "ordered": [{"sha": found.ordered}]}, "test": {}}
    texts(root, fingerprints=known)
    assert load("texts", "train").deviations == [] and verify("texts", "train").content == "verified"
    write_all(root, "texts", {"train": {"text": TEXTS["train"][::-1], "y": [0, 1, 0]}})
    assert [d.why for d in load("texts", "train").deviations] == ["rows as a set: verified"]
    write_all(root, "texts", {"train": {"text": TEXTS["train"], "y": [0, 1, 1]}})
    for split in ("train", "test"):  # whose vocabulary would be another one
        with pytest.raises(
            UserError, match=r"train-0.parquet: rows of `texts`, split `train`, are not those"
        ):
            load("texts", split)
    assert verify("texts", "train").content == "differs"


# Faults of files and declarations


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("text", ["a", None, "b"], "row 1, column `text`: there is no text"),
        ("text", [1, 2, 3], "column `text` is int64; expected text"),
        ("text", ["a", "b"], "split `train` of `texts` has 3 rows, and the 1 file.s. here have 2"),
        ("y", [0, 1, 2], "row 2, column `y`: 2 is not from 0 to 1"),
        ("y", [0, None, 1], "row 1, column `y`: None is not from 0 to 1"),
        ("y", ["0", "1", "1"], "column `y` is string; expected integers"),
        ("y", pa.array([0, 2**63, 1], pa.uint64()), "row 1, column `y`: 9223372036854775808 is not"),
        ("z", [0, 1, 1], r"no column `y` \(there are text, z\); delete this file, then put train-\*.parquet"),
    ],
)
def test_a_faulty_column_is_told_with_file_and_row(
    root: Path, column: str, values: Any, message: str
) -> None:
    texts(root)
    columns = {"text": TEXTS["train"], "y": [0, 1, 0]} | {column: values}
    if column == "z":
        del columns["y"]
    if len(values) == 2:
        columns["y"] = [0, 1]
    path = write(root / "data" / "texts" / "train-0.parquet", columns)
    with pytest.raises(UserError, match=message) as told:
        load("texts", "train")
    assert str(told.value).startswith(str(path)) and "\n" not in str(told.value)


def test_the_row_is_that_of_its_own_file(root: Path) -> None:
    texts(root)
    write_all(root, "texts", {"train": {"text": ["a", "b"], "y": [0, 1]}})
    path = write(root / "data" / "texts" / "train-1.parquet", {"text": ["c"], "y": [3]})
    with pytest.raises(UserError, match=rf"{re.escape(str(path))}: row 0, column `y`"):
        load("texts", "train")
    write(path, {"text": ["c"], "y": pa.array([3], pa.int32())})
    with pytest.raises(UserError, match=r"train-1.parquet: its columns have other types than those of"):
        load("texts", "train")


def test_text_that_is_not_utf8_is_told(root: Path) -> None:
    texts(root)
    wrong = pa.array([b"a", b"\xff\xfe", b"b"], pa.binary()).view(pa.string())
    write_all(root, "texts", {"train": {"text": wrong, "y": [0, 1, 1]}})
    with pytest.raises(
        UserError, match=r"train-0.parquet: row 1, column `text`: the text is not UTF-8; delete"
    ):
        load("texts", "train")


CELLS = st.one_of(
    st.none(), st.text(max_size=4), st.integers(-3, 3), st.floats(width=32), st.booleans(), st.binary(max_size=3),
    st.lists(st.integers(-1, 4), max_size=3), st.dates(), st.decimals(-9, 9, allow_nan=False, places=2),
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_file_ends_in_a_traceback(root: Path, data: st.DataObject) -> None:
    """Columns of any type and any values, for each kind of field."""
    kind = data.draw(st.sampled_from(["texts", "numbers", "net"]))
    {"texts": texts, "numbers": numbers, "net": graph}[kind](root)
    stem = "nodes" if kind == "net" else "train"
    path = root / "data" / kind / f"{stem}-0.parquet"
    columns = dict(pq.read_table(path).to_pydict())
    name = data.draw(st.sampled_from(sorted(columns)))
    rows = len(columns[name])
    try:
        columns[name] = pa.array(data.draw(st.lists(CELLS, min_size=rows, max_size=rows)))
    except (pa.ArrowException, TypeError, OverflowError):  # no column of mixed types
        columns[name] = pa.array([data.draw(CELLS)] * rows)
    write(path, columns)
    try:
        found = load(kind, "train")
        assert len(found) == declaration(kind).splits["train"]
    except UserError as error:
        assert "\n" not in str(error) and str(root) in str(error)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10**6), value=st.integers(0, 255))
def test_a_changed_byte_of_a_file_never_ends_in_a_traceback(root: Path, at: int, value: int) -> None:
    numbers(root)
    path = root / "data" / "numbers" / "train-0.parquet"
    content = bytearray(path.read_bytes())
    content[at % len(content)] = value
    path.write_bytes(content)
    try:
        load("numbers", "train")
    except UserError as error:
        assert "train-0.parquet" in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": [8]}, r"`shape` is \(length, vocabulary\) for text and \(d,\) for all else"),
        ({"shape": [8, 11]}, "`texts` has 10 tokens, and 11 are declared as its `shape`"),
        ({"vocabulary": None}, "text, and only text, needs a `vocabulary`"),
        ({"vocabulary": {"of": "texts", "least": 2}}, "with `of`, everything else is that set's"),
        ({"classes": 0}, "a field of the kind `label` needs `classes`"),
        ({"mean": [0.5]}, "are for sets of images"),
        ({"whole": {"files": ["x"]}}, "`whole` without `by` cuts a `stream`"),
        ({"fields": {"tokens": {"kind": "tokenz"}}}, "tokenz"),
        ({"fields": {"label": {"kind": "label", "column": "y"}}}, "needs a field of the kind `tokens`"),
        ({"fields": None}, "`vocabulary`, `whole`, `graph` and `source: union:` need `fields`"),
        ({"splits": {"test": 2}, "fingerprints": {"test": {}}}, "training rows needs a split `train`"),
    ],
)
def test_a_wrong_declaration_is_told(root: Path, change: dict[str, Any], message: str) -> None:
    texts(root)
    path = declare.SETS / "texts.yaml"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    declare._read.cache_clear()
    with pytest.raises(UserError, match=message) as told:
        load("texts", "train" if "splits" not in change else "test")
    assert "\n" not in str(told.value)


# The hub, look-alikes


def test_the_hubs_cache_serves_text(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = {"hub": {"repo": "someone/texts", "mb": 1, "splits": {"test": "validation"}}}
    texts(root, source=hub)
    assert available("texts") is None  # `train` is there, the other split has the hub's name
    folder = root / "hub" / "someone___texts" / "default" / "0.0.0" / "abc"
    folder.mkdir(parents=True)
    for split, name in (("train", "train"), ("test", "validation")):
        table = pa.table({"text": TEXTS[split], "y": [0] * len(TEXTS[split])})
        with pa.ipc.new_stream(folder / f"texts-{name}.arrow", table.schema) as stream:
            stream.write_table(table)
    monkeypatch.delenv("REPRO_DATA")
    assert available("texts") == "hub cache" and [len(t) for t in get("texts")] == [3, 2]


def test_get_fetches_what_is_missing_of_all_that_a_set_needs(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts(root)
    tokens = {"tokens": {"kind": "tokens", "columns": ["text"]}}
    hub = {"hub": {"repo": "someone/more", "mb": 1}}
    declare_set("more", {"train": 1}, shape=[4, 10], fields=tokens, vocabulary={"of": "texts"}, source=hub)
    union = {"union": {"texts": ["text"], "more": ["text"]}}
    declare_set("both", {"train": 4}, shape=[4, 14], fields=tokens, vocabulary={"lower": True}, source=union)
    fetched = []

    def download(part: declare.DataSet, repo: str | None) -> None:
        fetched.append(part.name)
        write_all(root, part.name, {"train": {"text": ["new cat"]}})

    monkeypatch.setattr("repro.data.load.download", download)
    assert [len(t) for t in get("both")] == [4] and fetched == ["more"]
    assert [len(t) for t in get("both")] == [4] and fetched == ["more"]


def test_a_sample_has_about_the_declared_size() -> None:
    for declared in every()[0]:
        if declared.fields:
            found = look_alike(declared.name, next(iter(declared.splits)), 8, 1)
            size = sum(
                x.padded(declared.shape[0]).nbytes
                if isinstance(x, Ragged)
                else 8 * 16
                if isinstance(x, Stream)
                else x.nbytes
                for x in found.fields.values()
            )
            assert declared.sample_bytes / 2 <= size / 8 <= declared.sample_bytes


@pytest.mark.parametrize("name", [d.name for d in every()[0] if d.fields])
def test_look_alikes_have_the_kinds_and_shapes_of_the_set(name: str) -> None:
    declared = declaration(name)
    split = next(iter(declared.splits))
    found, again = (look_alike(name, split, 16, key=1) for _ in range(2))
    assert (
        len(found) == 16 and found.shape == declared.shape and [*found.fields] == list(declared.fields or ())
    )
    assert all(len(x) == 16 for x in found.fields.values())
    for field, x in found.fields.items():
        if isinstance(x, Ragged):
            assert x.values.min() >= 5 and x.values.max() < found.shape[1] == len(found.facts["vocabulary"])
            assert x.lengths.min() >= 1 and x.lengths.max() <= found.shape[0]
        first, second = (
            t[field] if isinstance(t[field], torch.Tensor) else t[field].values for t in (found, again)
        )
        assert torch.equal(first, second)
    if found.classes:
        assert found.labels.min() == 0 and found.labels.max() < found.classes


# Ragged and stream


@given(st.lists(st.lists(st.integers(5, 9), max_size=5), min_size=1, max_size=5), st.integers(1, 7))
def test_ragged_entries_are_padded_and_cut(entries: list[list[int]], length: int) -> None:
    starts = torch.tensor([0, *map(len, entries)]).cumsum(0)
    ragged = Ragged(torch.tensor([x for entry in entries for x in entry], dtype=torch.long), starts)
    expected = [(entry + [0] * length)[:length] for entry in entries]
    assert ragged.padded(length).tolist() == expected
    order = torch.arange(len(entries)).flip(0)
    assert ragged[order].padded(length).tolist() == expected[::-1]


@given(st.integers(1, 12), st.integers(1, 9))
def test_windows_of_a_stream_are_full_and_begin_earlier_near_its_end(n: int, length: int) -> None:
    stream = Stream(torch.arange(5, 5 + n), torch.arange(n))
    for place, window in enumerate(stream.padded(length).tolist()):
        first = min(place, max(n - length, 0))
        assert window == [5 + first + i if first + i < n else 0 for i in range(length)]
    assert stream[torch.tensor([n - 1])].padded(1).tolist() == [[4 + n]]


# The real sets


def column(path: str, name: str) -> list[Any]:
    return pq.read_table(next(REAL.glob(path)))[name].to_pylist()


@needs_real
@pytest.mark.parametrize("name", [d.name for d in every()[0] if d.fields])
def test_real_sets_are_the_declared_ones(name: str) -> None:
    if available(name) is None:
        pytest.skip(f"{name} is not here")
    declared = declaration(name)
    for split, rows in declared.splits.items():
        found = load(name, split)
        assert len(found) == rows and found.deviations == [] and found.shape == declared.shape
        known = declared.fingerprints[split]
        assert not known.content or known.content == found.fingerprint.content
        if found.classes:
            assert found.labels.unique().tolist() == list(range(found.classes))


@needs_real
def test_stsb_and_sentences_as_read_by_hand() -> None:
    first, second = (column("stsb/train-*", f"sentence{i}") for i in (1, 2))
    phrases = column("sst2/train-*", "sentence")
    corpus = list(dict.fromkeys([*(s for pair in zip(first, second, strict=True) for s in pair), *phrases]))
    counts = Counter(w for s in corpus for w in re.findall(r"\w+|[^\w\s]", s.lower()))
    known = {w: i + 5 for i, w in enumerate(sorted(counts, key=lambda w: (-counts[w], w))[: 20000 - 5])}
    assert len(load("sentences", "train")) == len(corpus)
    found = load("stsb", "test")
    for field, name in (("tokens", "sentence1"), ("tokens_b", "sentence2")):
        expected = [
            [known.get(w, 1) for w in re.findall(r"\w+|[^\w\s]", s.lower())]
            for s in column("stsb/test-*", name)
        ]
        assert found[field].values.tolist() == [t for entry in expected for t in entry]
        assert found[field].lengths.tolist() == [len(entry) for entry in expected]
    assert torch.equal(found["score"], torch.tensor(column("stsb/test-*", "score")))


@needs_real
def test_tiny_shakespeare_as_read_by_hand() -> None:
    text = column("tiny_shakespeare/train-*", "text")[0]
    cut = int(0.9 * len(text))
    parts = load("tiny_shakespeare", "train"), load("tiny_shakespeare", "validation")
    letters = parts[0].facts["vocabulary"]
    assert {*letters.tokens[5:]} == {*text} and len(letters) == 70
    for found, expected in zip(parts, (text[:cut], text[cut:]), strict=True):
        assert letters.decode(found["tokens"].values.tolist()) == expected


@needs_real
@pytest.mark.parametrize("name", ["cora", "citeseer"])
def test_citation_graphs_have_the_public_split(name: str) -> None:
    labels, words = (column(f"planetoid/{name}/nodes-*", c) for c in ("label", "feature_index"))
    train, validation, test = (load(name, split) for split in ("train", "validation", "test"))
    assert train["node"].tolist() == list(range(20 * train.classes)) == list(range(len(train)))
    assert train.labels.bincount().tolist() == [20] * train.classes
    assert validation["node"].tolist() == list(range(len(train), len(train) + 500))
    for found in (train, validation, test):
        assert found.labels.tolist() == [labels[i] for i in found["node"].tolist()]
    features, edges = test.facts["features"], test.facts["edges"]
    assert [row.nonzero()[:, 0].tolist() for row in features] == [sorted(w) for w in words]
    assert (edges[0] < edges[1]).all() and len({*map(tuple, edges.T.tolist())}) == edges.shape[1]
    assert (
        edges.shape[1] == {"cora": 5278, "citeseer": 4552}[name]
    )  # PyTorch Geometric counts both directions


@needs_real
def test_adult_as_read_by_hand() -> None:
    path = {split: next(REAL.glob(f"uci/adult/{split}-*")) for split in ("train", "test")}
    train, test = (pq.read_table(path[split]).to_pydict() for split in ("train", "test"))
    age = np.array(train["age"], float)
    found = load("adult", "test")["features"]
    assert torch.allclose(
        found[:, 0].double(), torch.tensor((np.array(test["age"]) - age.mean()) / age.std()), atol=1e-6
    )
    kinds = sorted({x for x in train["workclass"] if x is not None})
    expected = [[float(x == kind) for kind in kinds] for x in test["workclass"]]
    assert found[:, 6 : 6 + len(kinds)].tolist() == expected
