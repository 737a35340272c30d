"""What the options of a component are, in words: from the JSON Schema of their classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from repro import components
from repro.errors import UserError, suggestion

BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
NAMES = {"integer": "whole number", "boolean": "true or false", "string": "text", "object": "mapping"}


class Explained(NamedTuple):
    """What a component is called, its file, its options, and those of each group of options within them.

    An option has its `option`, `type`, `default` and `description`.
    """

    kind: str
    file: Path
    options: list[dict[str, str]]
    groups: dict[str, list[dict[str, str]]]


def explained(name: str) -> list[Explained]:
    """The components of this name, of each kind. Raises UserError, naming the nearest, when there is none."""
    kinds = [folders for folders in components.FOLDERS if name in components.names(folders)]
    if not kinds:
        known = {n for folders in components.FOLDERS for n in components.names(folders)}
        raise UserError(f"No component is called `{name:.100}`{suggestion(name, known) or '.'}")
    found = []
    for folders in kinds:
        options = components.find(folders, name)
        schema = options.model_json_schema()
        groups = schema.get("$defs", {})
        rows = {group: _rows(of, groups) for group, of in groups.items()}
        found.append(
            Explained(components.label(folders), components.file_of(options), _rows(schema, groups), rows)
        )
    return found


def _rows(schema: dict[str, Any], groups: dict[str, Any]) -> list[dict[str, str]]:
    required = schema.get("required", ())
    return [
        {
            "option": name,
            "type": _type(option),
            "default": "required" if name in required else _default(option, groups),
            "description": option.get("description") or groups.get(_group(option), {}).get("description", ""),
        }
        for name, option in schema.get("properties", {}).items()
    ]


def _default(option: dict[str, Any], groups: dict[str, Any]) -> str:
    """The default; of a group what differs from its own."""
    default = option.get("default")
    if isinstance(default, dict):
        own = _schema_of(option, default, groups).get("properties", {})
        default = {k: v for k, v in default.items() if v != own.get(k, {}).get("default")} or None
    return "" if default is None else default if isinstance(default, str) else json.dumps(default)


def _schema_of(option: dict[str, Any], default: dict[str, Any], groups: dict[str, Any]) -> dict[str, Any]:
    """That of the group, or of the component, that the default is one of."""
    if "components" not in option:
        return dict(groups.get(_group(option), {}))
    return components.find(tuple(option["components"]), default[option["key"]]).model_json_schema()


def _group(option: dict[str, Any]) -> str:
    """The name of the group of options that the option is, or an empty string."""
    return option.get("$ref", "").rpartition("/")[2]


def _type(option: dict[str, Any]) -> str:
    """What a value may be, in words; null apart, which stands for the default."""
    alternatives = [a for a in option.get("anyOf", [option]) if a.get("type") != "null"]
    return " or ".join(dict.fromkeys(map(_one_type, alternatives)))


def _one_type(option: dict[str, Any]) -> str:
    if "components" in option:
        return components.label(tuple(option["components"]))
    if "$ref" in option:
        return _group(option)
    if "const" in option or "enum" in option:
        return " | ".join(map(str, option.get("enum", [option.get("const")])))
    kind = option.get("type", "any")
    if kind == "object":
        named = [*option.get("patternProperties", {}).values(), option.get("additionalProperties")]
        return f"names with {_type(named[0])}" if isinstance(named[0], dict) else NAMES[kind]
    if kind == "array":
        parts = option.get("prefixItems")
        return f"[{', '.join(map(_type, parts))}]" if parts else f"list of {_type(option.get('items', {}))}"
    bounds = [f"{sign} {option[key]:,.10g}" for key, sign in BOUNDS.items() if key in option]
    return " ".join([NAMES.get(kind, kind), ", ".join(bounds)]).strip()
