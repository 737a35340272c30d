"""What all groups of options have in common: strict types, and errors that name the nearest known key."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any, ClassVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from repro.errors import suggestion

Probability = Annotated[float, Field(ge=0, le=1)]


def _literal(schema: Any) -> Any:
    """A pydantic schema whose numbers and booleans are not made from anything else; changed in place."""
    if isinstance(schema, dict):
        if schema.get("type") in ("int", "float", "bool"):
            schema["strict"] = True
        for inner in schema.values():
            _literal(inner)
    elif isinstance(schema, list | tuple):
        for inner in schema:
            _literal(inner)
    return schema


class Options(BaseModel):
    """A group of named, typed values in a file. Unknown keys are errors that name the nearest known one.

    Numbers are numbers, finite ones: neither `true` nor a text that looks like one will do; nor are 1 and "yes"
    booleans. A null stands for the default, where it is not itself a value of the field. The text under a field
    describes it.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        protected_namespaces=(),
        allow_inf_nan=False,
        validate_default=True,
        use_attribute_docstrings=True,
    )

    def __hash__(self) -> int:
        return hash(repr(self))  # some fields are mappings

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return _literal(handler(source))

    @model_validator(mode="wrap")
    @classmethod
    def _suggest_keys(cls, value: Any, validate: Any) -> Any:
        if isinstance(value, dict) and None in value.values():
            never = _never_null(cls)
            value = {key: given for key, given in value.items() if given is not None or key not in never}
        try:
            return validate(value)
        except ValidationError as error:
            raise ValidationError.from_exception_data(
                error.title, [_with_suggestion(e, cls.model_fields) for e in error.errors()]
            ) from None


class ComponentOptions(Options):
    """Options of a component of any kind; `names` are those of a family in one file (default: the file's name)."""

    names: ClassVar[tuple[str, ...]]


@cache
def _never_null(options: type[BaseModel]) -> frozenset[str]:
    """The fields for which None is no value."""
    kinds = {name: field.annotation for name, field in options.model_fields.items()}
    return frozenset(name for name, kind in kinds.items() if type(None) not in (kind, *get_args(kind)))


def _with_suggestion(error: ErrorDetails, known: Iterable[str]) -> InitErrorDetails:
    kind, message = error["type"], error["msg"]
    if kind == "extra_forbidden" and len(error["loc"]) == 1:
        kind, message = "unknown_key", f"unknown key{suggestion(str(error['loc'][0]), known)}"
    return InitErrorDetails(
        type=PydanticCustomError(kind, "{message}", {"message": message}),  # type: ignore[arg-type]
        loc=error["loc"],
        input=error["input"],
    )
