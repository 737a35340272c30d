"""Kinds of values on the command line, checked as they are read, whether the chosen mode uses them or not.

A wrong one is a UserError.
"""

from __future__ import annotations

import math
from typing import Any

import click

from repro.engine import budget
from repro.errors import UserError


class Duration(click.ParamType):
    """A time such as `90s`, `25m` or `1h30m`, in seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        return value if isinstance(value, float) else budget.seconds(value)


class Positive(click.ParamType):
    """A finite number above 0."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and number > 0):
            raise UserError(f"{param.opts[0] if param else 'The value'}: `{value}` is not a number above 0.")
        return number


class Seeds(click.ParamType):
    """Whole numbers from 0, separated by commas, each of them once."""

    name = "seeds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        if isinstance(value, list):
            return value
        words = [word.strip() for word in value.split(",")]
        if not all(word.isdecimal() for word in words):
            raise UserError(f"Seeds are whole numbers from 0, separated by commas; found `{value}`.")
        return list(dict.fromkeys(map(int, words)))
