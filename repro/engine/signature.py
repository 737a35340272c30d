"""Whether a method's functions ask for things that exist, before anything is computed with them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from repro.engine.method import Method
from repro.errors import UserError, suggestion

WHEN = ("step", "total", "epoch", "epochs", "per_epoch")
TURN = "turn"
DRAWS = "draws"
VIEWS = ("views", "local")


def check_hooks(method: Method) -> None:
    """Checks what is called before a step."""
    for one in _methods(method):
        check(one.begin, ["samples", "table"])
        check(one.before_step, [*WHEN, "features"])


def check_embed(method: Method, views: Iterable[str], facts: Iterable[str], keys: Iterable[str]) -> None:
    """Checks what is computed per sample, from these views and facts of it, and the results of `keys`."""
    given = [*views, *facts, *WHEN, TURN, DRAWS]
    for one in _methods(method):
        if one.shuffles:
            check(one.keys, given, VIEWS)
        check(one.embed, [*given, *keys], VIEWS)


def check_after(method: Method, embedded: Iterable[str], facts: Iterable[str]) -> None:
    """Checks what is called with `embed`'s results."""
    given = [*embedded, *facts, *WHEN]
    for one in _methods(method):
        check(one.loss, [*given, TURN, DRAWS])
        check(one.after_step, given)


def check(function: Callable[..., Any], given: Iterable[str], optional: Iterable[str] = ()) -> None:
    """Raises UserError for a parameter that nothing will fill.

    One with a default may stay without a value if it is among the `optional` ones, or looks like none of the `given`
    that the function could have meant.
    """
    parameters = inspect.signature(function).parameters
    known = set(given)
    unused = known - set(parameters)
    for name, parameter in parameters.items():
        if name in known or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        needed = parameter.default is parameter.empty
        if needed or (name not in optional and suggestion(name, unused)):
            owner = type(getattr(function, "__self__", None)).__name__
            raise UserError(
                f"{owner}.{function.__name__} asks for `{name}`, which there is not{suggestion(name, unused) or '.'} "
                f"There are {', '.join(sorted(known))}."
            )


def _methods(method: Method) -> list[Method]:
    """The method, and one that it contains."""
    return [module for module in method.modules() if isinstance(module, Method)]
