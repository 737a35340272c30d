"""The JSON Schema of a recipe file, so that editors complete and check it."""

from __future__ import annotations

from typing import Any

from repro import components
from repro.recipes.schema import Recipe, Rounds


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a recipe, with one alternative for each method, stage, backbone and head."""
    definitions: dict[str, Any] = {}
    root = _filled(Recipe.model_json_schema(), definitions)
    for key in ("id", "family"):  # these come from the file's place, not from its text
        root["properties"].pop(key)
    root["properties"]["extends"] = {
        "type": "string",
        "description": "The recipe whose values this one changes.",
    }
    rounds = definitions["Rounds"] = Rounds.model_json_schema()
    kinds = {"kind": {"enum": components.names(("stages", "experiments"))}}
    rounds["properties"]["body"]["additionalProperties"] = {"type": "object", "properties": kinds}
    root["properties"]["stages"]["additionalProperties"]["oneOf"].append({"$ref": "#/$defs/Rounds"})
    root["required"] = ["title"]  # a child inherits the rest
    deviation = definitions["Deviation"]  # a child names one that it changes, or drops by a null
    deviation["required"] = ["what"]
    deviation["properties"]["here"] = {"type": ["string", "null"], "title": "Here"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "repro recipe",
        **{k: v for k, v in root.items() if k not in ("$defs", "title")},
        "$defs": definitions,
    }


def _filled(node: Any, definitions: dict[str, Any]) -> Any:
    """The schema with every component placeholder replaced by its alternatives, which go to `definitions`."""
    if isinstance(node, list):
        return [_filled(n, definitions) for n in node]
    if not isinstance(node, dict):
        return node
    if "components" in node:
        told = {key: node[key] for key in ("description", "default") if key in node}
        return {**told, "oneOf": _alternatives(tuple(node["components"]), node["key"], definitions)}
    for name, definition in node.get("$defs", {}).items():
        if name not in definitions:
            definitions[name] = {}  # claimed first: definitions may refer to each other
            definitions[name] = _filled(definition, definitions)
    return {k: _filled(v, definitions) for k, v in node.items() if k != "$defs"}


def _alternatives(folders: tuple[str, ...], key: str, definitions: dict[str, Any]) -> list[dict[str, str]]:
    found = []
    for name in components.names(folders):
        reference = f"{components.label(folders)}-{name}"
        if reference not in definitions:
            definitions[reference] = {}
            options = components.find(folders, name).model_json_schema()
            options["properties"][key] |= {"const": name}
            definitions[reference] = _filled(options, definitions)
        found.append({"$ref": f"#/$defs/{reference}"})
    return found
