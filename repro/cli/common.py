"""What several verbs share."""

from __future__ import annotations

import json
from typing import Any

import click
from click.shell_completion import CompletionItem

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def echo_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


class RecipeId(click.ParamType):
    """A recipe's id, completed by the shell."""

    name = "recipe"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from repro.recipes.load import ids

        return [CompletionItem(i) for i in ids() if i.startswith(incomplete)]
