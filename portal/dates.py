"""A day as people write it: three boxes in the reader's own order, with the month by its name.

A month that is chosen by name cannot be taken for a day, whatever order somebody is used to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.dates import MONTHS
from django.utils.formats import get_format
from django.utils.translation import gettext_lazy as _

PARTS = ("day", "month", "year")
_LABELS = {"day": _("Day"), "month": _("Month"), "year": _("Year")}
# What Django's date formats call a day, a month and a year.
_LETTERS = {"j": "day", "d": "day", "N": "month", "F": "month", "M": "month", "m": "month", "Y": "year"}  # fmt: skip


def order() -> list[str]:
    """The three parts in the order of the reader's language: the month comes first in American English."""
    named = [_LETTERS[letter] for letter in get_format("DATE_FORMAT") if letter in _LETTERS]
    known = list(dict.fromkeys(named))
    return known if set(known) == set(PARTS) else list(PARTS)


class DayInput(forms.MultiWidget):
    """Three boxes for one day. `parts` are its inputs in the reader's order, each with its own label."""

    is_day = True
    use_fieldset = True

    def __init__(self, *, is_birth: bool = False) -> None:
        months = [("", ""), *((str(number), name) for number, name in MONTHS.items())]
        typed = {"class": "form-control", "inputmode": "numeric", "autocomplete": "off"}
        fills = {part: f"bday-{part}" for part in PARTS} if is_birth else {}
        widgets: dict[str, forms.Widget | type[forms.Widget]] = {
            "day": forms.TextInput(typed | {"maxlength": "2"} | _autocomplete(fills, "day")),
            "month": forms.Select(
                {"class": "form-select"} | _autocomplete(fills, "month"), choices=months
            ),
            "year": forms.TextInput(typed | {"maxlength": "4"} | _autocomplete(fills, "year")),
        }
        super().__init__(widgets)

    def decompress(self, value: date | None) -> list[str]:
        """The parts of a day, as the boxes hold them."""
        return [str(value.day), str(value.month), str(value.year)] if value else ["", "", ""]

    def subwidgets(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Each box as a template draws it, in the reader's order, with its label."""
        boxes = self.get_context(name, value, attrs)["widget"]["subwidgets"]
        named = dict(zip(PARTS, boxes, strict=True))
        for part in order():
            yield named[part] | {"part": part, "label": _LABELS[part]}

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        """Whether none of the boxes was sent."""
        return all(f"{name}_{part}" not in data for part in PARTS)


def _autocomplete(fills: Mapping[str, str], part: str) -> dict[str, str]:
    return {"autocomplete": fills[part]} if part in fills else {}


class DayField(forms.MultiValueField):
    """A day of the calendar. What cannot be one, or has a year of two digits, is refused in words that help."""

    def __init__(self, *, is_birth: bool = False, **kwargs: Any) -> None:
        fields = [forms.CharField(required=False, max_length=4) for _part in PARTS]
        super().__init__(fields, widget=DayInput(is_birth=is_birth), require_all_fields=False, **kwargs)  # fmt: skip

    def clean(self, value: Any) -> date | None:
        """The day that was written. Raises ValidationError."""
        written = [str(part or "").strip() for part in (value or ["", "", ""])]
        if not any(written):
            if self.required:
                raise ValidationError(_("Fill in the day, the month and the year."), "required")
            return None
        self._refuse_incomplete(written)
        try:
            return date(int(written[2]), int(written[1]), int(written[0]))
        except ValueError:
            raise ValidationError(
                _("This day is not in the calendar. Please check it."), "invalid"
            ) from None

    def _refuse_incomplete(self, written: list[str]) -> None:
        if not all(written):
            raise ValidationError(_("Fill in the day, the month and the year."), "incomplete")
        if len(written[2]) != 4:
            raise ValidationError(_("Write the year with four digits, such as 1990."), "year")

    def compress(self, data_list: Any) -> Any:
        """Never called: `clean` reads the parts itself, to say what is wrong with them together."""
        raise NotImplementedError
