"""The questions of a check-in as fields of a form that nobody has touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django import template

from patients.reader_forms import CheckInForm
from procedures.question_wording import Asked

register = template.Library()


@register.filter
def fields_for(questions: Sequence[Asked], unit: str) -> Iterator[tuple[Any, ...]]:
    """Each question with its empty field, and the field of its unit where it has one."""
    return CheckInForm(None, questions=questions, unit=unit).parts
