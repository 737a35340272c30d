"""Strict YAML for files that people write: errors name file and line, and nothing is read by surprise.

Beyond plain YAML 1.1: `1e-4` is a number, only `true` and `false` are booleans, dates stay text, and a key
given twice or an alias is an error.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from repro.errors import UserError

LARGEST = 1_000_000  # bytes; a recipe of this size is a mistake
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):
    """libyaml's safe loader with the project's rules for scalars and duplicate keys."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be a plain word", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"key `{key.value}` is given twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_dropped = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag not in _dropped]
    for first, rules in _Base.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(true|false)$"), ["t", "f"])
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?((\d+\.\d*|\.\d+)([eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.(inf|nan))$"),
    list("-+.0123456789"),
)


def read(path: Path) -> dict[str, Any]:
    """The mapping that the file holds. Raises UserError with file and line for anything else."""
    text = read_text(path)
    try:
        value = parse(text)
    except yaml.YAMLError as error:
        raise UserError(f"{path}{_where(error)}: not valid YAML: {_problem(error)}.") from None
    if value is None:
        raise UserError(f"{path}: the file is empty.")
    if not isinstance(value, dict):
        raise UserError(f"{path}:1: expected `key: value` lines, found a {type(value).__name__}.")
    return value


def parse(text: str) -> Any:
    """Any YAML value (also one given on the command line). Raises yaml.YAMLError."""
    if re.search(r"(^|[\s\[{,])\*\w", text):
        for event in yaml.parse(text, Loader=_Base):
            if isinstance(event, yaml.AliasEvent):
                mark: Any = event.start_mark
                raise yaml.MarkedYAMLError(
                    problem="aliases are not supported, use `extends`", problem_mark=mark
                )
    return yaml.load(text, Loader=_Loader)


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
    node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Base)
    line, found = 1, True
    for key in keys:
        child = _child(node, key)
        if child is None:
            found = False
            break
        line, node = child
    return line, found


def _child(node: Any, key: str | int) -> tuple[int, Any] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((k.start_mark.line + 1, v) for k, v in node.value if k.value == str(key)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key].start_mark.line + 1, node.value[key]
    return None


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}" if mark else ""


def _problem(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or error).splitlines()[0]
