"""What several verbs share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from repro.errors import UserError
    from repro.results.store import Store

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def tell_invalid(errors: Iterable[UserError]) -> None:
    """Names on the error stream the files that cannot be read and were passed over."""
    for error in errors:
        click.echo(f"Skipped: {error}", err=True)


def tell_left_out(store: Store) -> None:
    """Names on the error stream the files that were met while records were read, and do not count."""
    for why in store.left_out.values():
        click.echo(f"Left out: {why}", err=True)


def echo_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


class Named(click.ParamType):
    """A name out of a list that the shell can complete; `known` finds it when it is needed."""

    def __init__(self, name: str, known: Callable[[], Iterable[str]]):
        self.name, self.known = name, known

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(name) for name in self.known() if name.startswith(incomplete)]


def _recipes() -> Iterable[str]:
    from repro.recipes.load import ids

    return ids()


def _papers() -> Iterable[str]:
    from repro.papers.load import slugs

    return slugs()


def _data_sets() -> Iterable[str]:
    from repro.data.declare import names

    return names()


def _families() -> Iterable[str]:
    from repro.recipes.load import files

    return sorted({path.parent.name for path in files().values()})


def _components() -> Iterable[str]:
    from repro import components

    return sorted({name for folders in components.FOLDERS for name in components.names(folders)})


RECIPE = Named("recipe", _recipes)
PAPER = Named("slug", _papers)
DATA_SET = Named("name", _data_sets)
FAMILY = Named("family", _families)
COMPONENT = Named("component", _components)


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that choose recipes by their fields of the same name."""
    for option in (
        click.option("--paper", type=PAPER, help="Only recipes of this paper."),
        click.option("--dataset", type=DATA_SET, help="Only recipes on this data set."),
        click.option(
            "--tier", type=click.Choice(["cpu", "gpu", "cluster"]), help="Only recipes of this tier."
        ),
        click.option("--family", type=FAMILY, help="Only recipes of this family (folder)."),
    ):
        command = option(command)
    return command
