"""Strict YAML for files that people write: errors name file and line, and nothing is read by surprise.

A small part of YAML: `1e-4` is a number, only `true` and `false` are booleans, dates stay text, numbers are decimal
and finite. A key given twice, anchors, aliases and tags are errors, and so is what no recipe or paper needs:
huge files, numbers, keys, lists or depths.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from repro.errors import UserError

LARGEST = 1_000_000  # bytes; a recipe of this size is a mistake
DEEPEST, MOST, LONGEST_KEY = 20, 1000, 100  # levels, entries of one mapping or list, characters
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULL = re.compile(r"~|null|Null|NULL|")
_INTEGER = re.compile(r"[-+]?(0|[1-9]\d*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?((\d+\.\d*|\.\d+)(e[-+]?\d+)?|\d+e[-+]?\d+)", re.ASCII | re.I)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|nan)", re.I)
# Other readers take these for numbers, each in its way: 010 for 8 or 10, 1:30 for 90.
_AMBIGUOUS = re.compile(
    r"[-+]?(0\d[\d_]*|[1-9]\d*(_\d+)+|0x[\da-f_]+|0b[01_]+|0o[0-7_]+|[1-9]\d*(:[0-5]?\d)+)", re.ASCII | re.I
)


@dataclass(frozen=True)
class Node:
    """A value with the line where it stands; `inner` is a list of nodes, or {key: (its line, node)}, or a scalar."""

    line: int
    inner: Any

    @property
    def value(self) -> Any:
        """The value without the lines."""
        if isinstance(self.inner, dict):
            return {key: node.value for key, (_, node) in self.inner.items()}
        if isinstance(self.inner, list):
            return [node.value for node in self.inner]
        return self.inner


def read(path: Path) -> dict[str, Any]:
    """The mapping that the file holds. Raises UserError with file and line for anything else."""
    text = read_text(path)
    try:
        value = parse(text)
    except yaml.YAMLError as error:
        raise UserError(f"{path}{_where(error)}: not valid YAML: {problem(error)}.") from None
    if value is None:
        raise UserError(f"{path}: the file is empty.")
    if not isinstance(value, dict):
        raise UserError(f"{path}:1: expected `key: value` lines, found a {type(value).__name__}.")
    return value


def parse(text: str) -> Any:
    """Any YAML value (also one given on the command line). Raises yaml.YAMLError."""
    node = _document(text)
    return None if node is None else node.value


def problem(error: yaml.YAMLError) -> str:
    """What is wrong, in one line."""
    return str(getattr(error, "problem", None) or error).splitlines()[0]


def read_text(path: Path) -> str:
    """The file's text, with a clear error if it cannot be read, is far too large or is not UTF-8."""
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise UserError(
                f"{path}: {size / 1e6:.1f} MB is too large for a recipe or paper file (at most 1 MB)."
            )
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}).") from None


def line_of(path: Path, keys: tuple[str | int, ...]) -> tuple[int, bool]:
    """The line where the value at `keys` (or its nearest ancestor) stands, and whether all keys were found."""
    node = _document(read_text(path))
    line = 1
    for key in keys:
        inner = node.inner if node else None
        if isinstance(inner, dict) and str(key) in inner:
            line, node = inner[str(key)]
        elif isinstance(inner, list) and isinstance(key, int) and key < len(inner):
            node = inner[key]
            line = node.line
        else:
            return line, False
    return line, True


@lru_cache(maxsize=16)  # the problems of a file ask for their lines one after the other
def _document(text: str) -> Node | None:
    """The only document of the text, or None when there is none."""
    try:
        events = yaml.parse(text.encode("utf-8"), Loader=_Parser)
    except UnicodeEncodeError:  # half a character, from the command line
        raise yaml.YAMLError("not UTF-8 text") from None
    found = None
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            if found:
                raise _error(event, "a second document begins here")
            found = _node(next(events), events, 0)
    return found


def _node(event: Any, events: Iterator[Any], depth: int) -> Node:
    """The node that begins with `event`, whose other events are next."""
    line = _line(event)
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
        raise _error(event, "anchors and aliases are not supported, use `extends`")
    if event.tag is not None:
        raise _error(event, f"the tag `{event.tag:.40}` is not supported; leave it out")
    if isinstance(event, yaml.ScalarEvent):
        return Node(line, _scalar(event))
    if depth == DEEPEST:
        raise _error(event, f"nested more than {DEEPEST} levels deep")
    read_entries = _mapping if isinstance(event, yaml.MappingStartEvent) else _list
    return Node(line, read_entries(events, depth + 1))


def _mapping(events: Iterator[Any], depth: int) -> dict[str, tuple[int, Node]]:
    inner: dict[str, tuple[int, Node]] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        if not isinstance(event, yaml.ScalarEvent) or event.anchor is not None or event.tag is not None:
            raise _error(event, "a key must be a plain word")
        key = _text(event)
        if len(key) > LONGEST_KEY:
            raise _error(event, f"a key of {len(key)} characters (at most {LONGEST_KEY})")
        if key in inner:
            raise _error(event, f"key `{key}` is given twice")
        if len(inner) == MOST:
            raise _error(event, f"more than {MOST} keys")
        inner[key] = (_line(event), _node(next(events), events, depth))
    return inner


def _list(events: Iterator[Any], depth: int) -> list[Node]:
    inner: list[Node] = []
    while not isinstance(event := next(events), yaml.SequenceEndEvent):
        if len(inner) == MOST:
            raise _error(event, f"more than {MOST} entries")
        inner.append(_node(event, events, depth))
    return inner


def _scalar(event: Any) -> str | int | float | bool | None:
    text = _text(event)
    if not event.implicit[0]:  # quoted, or a block of text
        return text
    if _NULL.fullmatch(text):
        return None
    if text in ("true", "false"):
        return text == "true"
    if _AMBIGUOUS.fullmatch(text):
        raise _error(
            event, f"`{text:.40}` is a number to some and not to others; write it in decimals or quote it"
        )
    if _INTEGER.fullmatch(text):
        if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
            raise _error(event, f"`{text:.20}…` is too large for an integer of 64 bits")
        return int(text)
    if _FLOAT.fullmatch(text):
        if math.isinf(number := float(text)):
            raise _error(event, f"`{text:.40}` is too large for a number")
        return number
    if _NOT_FINITE.fullmatch(text):
        raise _error(event, f"`{text}` is not a finite number")
    return text


def _text(event: Any) -> str:
    """The scalar as text, if a terminal and a file name could hold it."""
    text = str(event.value)
    if not text.isprintable() and re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", text):
        raise _error(event, "a control character")
    return text


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _error(event: Any, what: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=what, problem_mark=event.start_mark)


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}" if mark else ""
