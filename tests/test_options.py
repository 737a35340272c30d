"""Options: every one says what it is, in the editor's schema and on the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from repro import components
from repro.components import FOLDERS, SUFFIX
from repro.errors import UserError
from repro.options import Options
from repro.recipes.explain import explained
from repro.recipes.json_schema import schema
from tests.conftest import invoke


def every(kind: type[Options] = Options) -> Iterator[type[Options]]:
    for each in kind.__subclasses__():
        yield each
        yield from every(each)


def declared() -> list[type[Options]]:
    """All classes of options of the package: those of components, and the groups that they share."""
    for folders in FOLDERS:
        components.names(folders)  # which imports them all
    return [o for o in every() if re.match(rf"repro\.(options\.|.*{SUFFIX}$)", o.__module__)]


def test_no_option_is_without_a_description() -> None:
    found = declared()
    assert len(found) > 90
    bare = [f"{o.__qualname__}.{n}" for o in found for n, f in o.model_fields.items() if not f.description]
    assert bare == []


def test_a_description_is_one_line_that_ends_with_a_full_stop() -> None:
    for options in declared():
        for name, field in options.model_fields.items():
            text = field.description or ""
            assert "\n" not in text and text.endswith("."), (options, name)


def test_the_schema_describes_every_option_of_every_component() -> None:
    definitions = schema()["$defs"]
    assert definitions["method-supcon"]["properties"]["temperature"] == {
        "default": 0.1,
        "description": "τ, by which cosines are divided.",
        "exclusiveMinimum": 0,
        "title": "Temperature",
        "type": "number",
    }
    for folders, label in FOLDERS.items():
        for name in components.names(folders):
            for key, option in definitions.get(f"{label}-{name}", {}).get("properties", {}).items():
                described = option.get("description") or definitions[option["$ref"].rpartition("/")[2]]
                assert described, (name, key)


def shown(name: str) -> list[list[str]]:
    done = invoke("show", "--options", name)
    assert done.exit_code == 0, done.output
    return [line.split() for line in done.stdout.splitlines()]


def test_the_options_of_a_component_are_shown_with_type_default_and_description() -> None:
    title, head, _, name, temperature, *_ = shown("supcon")
    assert title[:3] == ["#", "method", "supcon"] and title[3].endswith("supervised/supcon.py)")
    assert head == ["option", "type", "default", "description"]
    assert name[:3] == ["name", "text", "required"]
    assert temperature[:5] == ["temperature", "number", ">", "0", "0.1"]
    assert temperature[5:] == ["τ,", "by", "which", "cosines", "are", "divided."]


def test_all_components_of_a_name_are_shown_and_the_groups_of_their_options() -> None:
    assert [line[1:3] for line in shown("mlp") if line[:1] == ["#"]] == [["backbone", "mlp"], ["head", "mlp"]]
    titles = [line[1] for line in shown("train") if line[:1] == ["#"]]
    assert titles[0] == "stage" and {"Batch", "Views", "Crop", "StreamOptions"} <= set(titles)


def test_a_default_of_a_group_says_what_differs_from_its_own() -> None:
    (stage,) = json.loads(invoke("show", "--options", "siren_fit", "--json").stdout)
    rows = {row["option"]: row for row in stage["options"]}
    assert json.loads(rows["optimizer"]["default"]) == {"name": "adam", "lr": 1e-4}
    assert rows["optimizer"]["type"] == "optimizer" and rows["optimizer"]["description"] == "The update rule."
    assert rows["against"]["type"] == "list of relu | tanh | relu_pe"
    (adam,) = json.loads(invoke("show", "--options", "adam", "--json").stdout)
    assert {row["option"] for row in adam["options"]} >= {"lr", "betas"}


def test_an_unknown_component_is_told_with_the_nearest_one() -> None:
    with pytest.raises(UserError, match=r"^No component is called `supcn`; did you mean `supcon`\?$"):
        explained("supcn")
    with pytest.raises(UserError, match=r"^No component is called `x{100}`\.$"):
        explained("x" * 300)


@pytest.mark.parametrize("arguments", [(), ("supcon-cifar100", "--options", "supcon")])
def test_either_a_recipe_or_a_component_is_shown(arguments: tuple[str, ...]) -> None:
    done = invoke("show", *arguments)
    assert done.exit_code == 2 and "Name a recipe, or a component with --options." in done.output


def test_every_component_can_be_shown() -> None:
    for folders in FOLDERS:
        for name in components.names(folders):
            assert invoke("show", "--options", name).exit_code == 0, name
