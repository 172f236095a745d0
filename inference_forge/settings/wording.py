"""What a value must be, in the words of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_MUST: Final = {
    "greater_than_equal": "it must be at least {ge:g}",
    "greater_than": "it must be above {gt:g}",
    "less_than_equal": "it must be at most {le:g}",
    "less_than": "it must be below {lt:g}",
    "enum": "choose {expected}",
    "literal_error": "choose {expected}",
    "dict_type": "it must be a table",
    "list_type": "it must be a list",
    "too_short": "it must not be empty",
    "int_type": "it must be a whole number",
    "int_parsing": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "float_type": "it must be a number",
    "float_parsing": "it must be a number",
    "finite_number": "it must be a finite number",
    "bool_type": "it must be true or false",
    "bool_parsing": "it must be true or false",
    "string_type": "it must be text in quotes",
    "path_type": "it must be a path in quotes",
    "tuple_type": "it must be a list of texts",
}
"""By pydantic's type of error (docs.pydantic.dev/latest/errors/validation_errors)."""


def requirement(problem: Mapping[str, Any]) -> str:
    """Return what a value must be, from one of pydantic's errors."""
    template = _MUST.get(problem["type"])
    return problem["msg"] if template is None else template.format(**problem.get("ctx", {}))
