"""Checks each catalogue file by itself against `catalogue/schema.yaml` (JSON Schema 2020-12)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from procedures.loading.documents import Document, PlainLoader, Problem, Trail

# jsonschema is imported where it is used: five MiB, which a process that only sends mail would hold for nothing.
if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

SCHEMA = Path(__file__).resolve().parent.parent / "catalogue" / "schema.yaml"


@cache
def _schema() -> dict[str, Any]:
    return yaml.load(SCHEMA.read_text(encoding="utf-8"), Loader=PlainLoader)  # noqa: S506 - safe


@cache
def _validator(kind: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    schema = _schema()
    return Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": schema["$defs"]})


def schema_problems(document: Document, kind: str) -> Iterator[Problem]:
    """What `document` has that a file of this kind must not have, or lacks; notes in `faults` where it is broken."""
    for error in _validator(kind).iter_errors(document.data):
        if error.validator != "additionalProperties":  # What is too much does no harm below.
            document.faults.add(tuple(error.absolute_path))
        yield from _problems(document, error)


def _problems(document: Document, error: ValidationError) -> Iterator[Problem]:
    trail: Trail = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        allowed = set(error.schema["properties"]) if isinstance(error.schema, dict) else set()
        present: Any = error.instance
        for name in sorted(set(present) - allowed):
            yield document.problem((*trail, name), "unknown field")
        return
    if error.validator == "oneOf" and error.context:
        from jsonschema.exceptions import best_match

        of_right_type = [each for each in error.context if each.validator != "type"]
        deeper = of_right_type[0] if of_right_type else best_match(error.context)
        yield document.problem(tuple(deeper.absolute_path), _sentence(deeper))
        return
    yield document.problem(trail, _sentence(error))


def _sentence(error: ValidationError) -> str:
    """One plain line about what is wrong, without the dump of the whole value that jsonschema adds."""
    rule, value = error.validator, error.validator_value
    instance: Any = error.instance
    words: Any = value
    if rule == "required":
        missing = next(name for name in words if name not in instance)
        return f"“{missing}” is missing"
    if rule == "dependentRequired":
        missing, present = re.findall(r"'([^']+)'", error.message)[:2]
        return f"“{missing}” is missing: “{present}” needs it"
    plain = {
        "enum": f"“{error.instance}” is not one of {', '.join(map(str, words))}"
        if rule == "enum"
        else "",
        "pattern": f"“{error.instance}” is not written as it must be ({_hint(error)})",
        "type": f"must be of type {value}",
        "maxLength": f"is longer than {value} characters",
        "minLength": "is empty",
        "minItems": "needs at least one entry",
        "minProperties": "needs at least one entry",
    }
    return plain.get(str(rule)) or error.message[:200]


def _hint(error: ValidationError) -> str:
    schema = error.schema if isinstance(error.schema, dict) else {}
    return str(schema.get("description") or error.validator_value)
