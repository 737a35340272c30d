"""The command line: one file per verb, imported when it is called."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from repro import __version__
from repro.errors import UserError, suggestion
from repro.host import forgive_output

VERBS = ("list", "show", "run", "compare", "table", "papers", "new", "check", "data", "doctor")


class Verbs(click.Group):
    """Finds a verb in `repro/cli/<verb>.py`, so that `repro list` does not pay for `repro run`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [v for v in VERBS if (Path(__file__).parent / f"{v}.py").exists()]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        return import_module(f"repro.cli.{name}").command if name in self.list_commands(ctx) else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            ctx.fail(f"No command `{args[0]}`{suggestion(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="""\b
Examples:
  repro list                          what there is
  repro run supcon-simplex-toy        run a recipe, see reported against measured
  repro table                         the results so far
  repro new my-method-cifar10 --paper chen2020-simclr --extends simclr-cifar10

\b
Completion for your shell, for example bash:
  eval "$(_REPRO_COMPLETE=bash_source repro)"
""",
)
@click.version_option(__version__, prog_name="repro")
def cli() -> None:
    """Reproduce machine-learning papers: run a recipe, compare what you measured with what was reported."""


def main() -> None:
    """The console script. A mistake of the user or a refusal of the system is a line and status 2; Ctrl-C is 130."""
    forgive_output()
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except UserError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except BrokenPipeError:  # the reader of a pipe such as `repro list | head` has gone
        sys.stderr.close()
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"Error: {where}{error.strerror or error}.", err=True)
        with suppress(OSError):  # what could not be written is not tried again
            sys.stdout.close()
        sys.exit(2)
