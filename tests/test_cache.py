"""The cache of parsed files: never stale, never in the way."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro import cache
from repro.cache import Remembered, _exact_json
from repro.errors import UserError

reads: list[str] = []


def read(path: Path) -> Any:
    """What is remembered in these tests: the file's JSON, noted in `reads`."""
    reads.append(path.name)
    text = path.read_text(encoding="utf-8")
    if "bad" in text:
        raise UserError(f"{path}: bad")
    return json.loads(text)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of one's own, in which files need not grow old before they are remembered."""
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "YOUNG", 0)
    (tmp_path / "files").mkdir()
    reads.clear()
    return tmp_path / "files"


def again(*paths: Path) -> tuple[list[Any], list[str]]:
    """What a new process would get for the files, and which of them it had to read."""
    reads.clear()
    remembered = Remembered("test", read)
    values = [remembered(path) for path in paths]
    remembered.save()
    return values, list(reads)


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_a_file_is_read_once_and_its_value_is_ones_own(folder: Path) -> None:
    a = write(folder / "a", {"x": [1, 2.0, True, None, "é"]})
    assert again(a) == ([{"x": [1, 2.0, True, None, "é"]}], ["a"])
    assert again(a) == ([{"x": [1, 2.0, True, None, "é"]}], [])
    remembered = Remembered("test", read)
    remembered(a)["x"].append("spoilt")
    assert remembered(a) == {"x": [1, 2.0, True, None, "é"]}


def test_what_changes_is_read_again_and_what_is_gone_is_forgotten(folder: Path, tmp_path: Path) -> None:
    a, b = write(folder / "a", 1), write(folder / "b", 2)
    again(a, b)
    write(a, 10)
    assert again(a, b) == ([10, 2], ["a"])
    c = write(folder / "c", 3)
    b.unlink()
    assert again(a, c) == ([10, 3], ["c"])
    assert str(b) not in json.loads((tmp_path / "cache" / "test.json").read_text())["files"]
    with pytest.raises(FileNotFoundError):
        Remembered("test", read)(b)


@pytest.mark.parametrize("times", ["kept", "older"])
def test_an_edit_that_hides_its_time_is_seen(folder: Path, times: str) -> None:
    a = write(folder / "a", 1)
    before = a.stat()
    again(a)
    write(a, 2)  # of the same size
    shift = 0 if times == "kept" else 10**9
    os.utime(a, ns=(before.st_atime_ns, before.st_mtime_ns - shift))
    assert again(a) == ([2], ["a"])


def test_another_file_in_its_place_is_seen(folder: Path) -> None:
    a, other = write(folder / "a", 1), write(folder / "other", 2)
    again(a)
    other.replace(a)
    assert again(a) == ([2], ["a"])


def test_a_file_just_written_is_not_remembered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "YOUNG", 10**12)
    a = write(folder / "a", 1)
    again(a)
    assert again(a) == ([1], ["a"])


def test_a_file_that_changes_while_it_is_read_is_not_remembered(folder: Path) -> None:
    a = write(folder / "a", 1)

    def slow(path: Path) -> Any:
        value = read(path)
        write(path, [2, 2])
        return value

    slowly = Remembered("test", slow)
    assert slowly(a) == 1
    slowly.save()
    assert again(a) == ([[2, 2]], ["a"])


def test_a_link_and_its_target_share_what_is_known(folder: Path, tmp_path: Path) -> None:
    again(write(folder / "a", 1))
    (tmp_path / "link").symlink_to(folder)
    assert again(tmp_path / "link" / "a") == ([1], [])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"files": 3}',
        b'{"reader": "1 2 3", "files": {}}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_or_foreign_cache_is_ignored_and_replaced(
    folder: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "test.json").write_bytes(content)
    a = write(folder / "a", 1)
    assert again(a) == ([1], ["a"])
    assert again(a) == ([1], [])


@pytest.mark.parametrize("entry", [None, 3, [], ["only a stamp"], {"a": 1}])
def test_a_damaged_entry_is_ignored(folder: Path, tmp_path: Path, entry: Any) -> None:
    a = write(folder / "a", 1)
    again(a)
    file = tmp_path / "cache" / "test.json"
    whole = json.loads(file.read_text())
    file.write_text(json.dumps(whole | {"files": {str(a): entry}}))
    assert again(a)[0] == [1]


def test_an_entry_that_is_no_json_is_read_again(folder: Path, tmp_path: Path) -> None:
    a = write(folder / "a", 1)
    again(a)
    file = tmp_path / "cache" / "test.json"
    whole = json.loads(file.read_text())
    whole["files"][str(a)][1] = "{"
    file.write_text(json.dumps(whole))
    assert again(a) == ([1], ["a"])


def test_no_cache_folder_is_no_problem(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "occupied").write_text("a file where the folder should be")
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path / "occupied"))
    a = write(folder / "a", 1)
    assert again(a) == ([1], ["a"])
    assert again(a) == ([1], ["a"])


def test_errors_are_not_remembered(folder: Path) -> None:
    a = write(folder / "a", "bad")
    for _ in range(2):
        with pytest.raises(UserError, match="bad"):
            again(a)
    write(a, "good")
    assert again(a) == (["good"], ["a"])


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers() | st.booleans(), inner)
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)


@given(values)
def test_what_is_remembered_comes_back_exactly(value: Any) -> None:
    text = _exact_json(value)
    assert not text or repr(json.loads(text)) == repr(value)
