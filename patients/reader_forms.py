"""The check-in as a form: one field for each question, and what was answered in the words that were read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from patients.degrees import degrees
from portal.once import new_ticket
from procedures.question_wording import Asked
from procedures.red_flags import to_celsius

CELSIUS, FAHRENHEIT = "celsius", "fahrenheit"
SIGNS = {CELSIUS: "°C", FAHRENHEIT: "°F"}
UNIT, TYPED = "-unit", "-typed"
LONGEST_NOTE = 1000


class CheckInForm(forms.Form):
    """The questions of one questionnaire about one episode. Every answer that was typed is kept.

    `episode` and `questionnaire` travel with the form, so that a choice made in another tab cannot turn
    it into somebody else's.
    """

    ticket = forms.CharField(max_length=32, widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, questions: Sequence[Asked], unit: str = CELSIUS, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.questions = list(questions)
        self.fields["ticket"].initial = new_ticket
        for asked in self.questions:
            self.fields[asked.key] = _field_of(asked)
            if asked.unit:
                self.fields[asked.key + UNIT] = _unit_field(unit)

    @property
    def parts(self) -> Iterator[tuple[Asked, forms.BoundField, forms.BoundField | None]]:
        """Each question with its field, and the field of its unit where it has one."""
        for asked in self.questions:
            yield asked, self[asked.key], self[asked.key + UNIT] if asked.unit else None

    def clean(self) -> dict[str, Any]:
        """Check what hangs on another answer: units, ranges, and questions that are asked if."""
        for asked in self.questions:
            self._require(asked)
            if asked.unit and self.cleaned_data.get(asked.key) is not None:
                self._check_temperature(asked)
        return self.cleaned_data

    def _require(self, asked: Asked) -> None:
        wanted = asked.asked_if
        if not wanted or asked.key in self.errors or not asked.is_required:
            return
        other = self.cleaned_data.get(wanted.question)
        if other == wanted.answer and self.cleaned_data.get(asked.key) in {None, ""}:
            self.add_error(asked.key, _("Please answer this question."))

    def _check_temperature(self, asked: Asked) -> None:
        unit = self.cleaned_data.get(asked.key + UNIT) or CELSIUS
        typed = self.cleaned_data[asked.key]
        celsius = to_celsius(typed, unit)
        least, most = asked.least, asked.most
        if least is not None and most is not None and not least <= celsius <= most:
            self.add_error(asked.key, _implausible(unit))
        self.cleaned_data |= {asked.key: celsius, asked.key + TYPED: typed}

    def given(self) -> list[dict[str, Any]]:
        """The answers as a check-in keeps them, in order; questions without an answer are left out."""
        return [row for asked in self.questions if (row := self._given(asked))]

    def _given(self, asked: Asked) -> dict[str, Any] | None:
        value = self.cleaned_data.get(asked.key)
        if value is None or value == "":
            return None
        return {
            "key": asked.key,
            "kind": asked.kind,
            "label": asked.label,
            "language": asked.language,
            "value": float(value) if isinstance(value, Decimal) else value,
            "shown": self._shown(asked, value),
        }

    def _shown(self, asked: Asked, value: Any) -> str:
        match asked.kind:
            case "yes_no":
                return _("Yes") if value else _("No")
            case "choice":
                return dict(asked.choices)[value]
            case "number" if asked.unit:
                return self._degrees(asked, value)
        return str(value)

    def _degrees(self, asked: Asked, celsius: Decimal) -> str:
        """A temperature as it was typed, and in °C too where that was another unit."""
        typed = number_format(self.cleaned_data[asked.key + TYPED])
        if self.cleaned_data.get(asked.key + UNIT) == FAHRENHEIT:
            return f"{typed} °F ({degrees(celsius)})"
        return f"{typed} °C"


def _implausible(unit: str) -> str:
    if unit == FAHRENHEIT:
        return _("Please look again: this cannot be a temperature in °F. A usual one is 98.6.")
    return _("Please look again: this cannot be a temperature in °C. A usual one is 37.")


class PlainDecimalField(forms.Field):
    """A number with a comma, a point or the Arabic sign for it, with at most one digit behind it."""

    def to_python(self, value: Any) -> Decimal | None:
        """The number. Raises ValidationError."""
        text = str(value or "").strip().replace(",", ".").replace("٫", ".").rstrip("°CFcf ")
        if not text:
            return None
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise ValidationError(_("Write a number, such as 37.5.")) from None
        exponent = number.as_tuple().exponent
        if not number.is_finite() or not isinstance(exponent, int) or exponent < -1 or number > 999:
            raise ValidationError(_("Write a number, such as 37.5."))
        return number


def _field_of(asked: Asked) -> forms.Field:
    options: dict[str, Any] = {
        "label": asked.label,
        "help_text": asked.help,
        "required": asked.is_required and not asked.asked_if,
        "error_messages": {"required": gettext_lazy("Please answer this question.")},
    }
    match asked.kind:
        case "text":
            area = forms.Textarea(attrs={"rows": 3})
            return forms.CharField(max_length=LONGEST_NOTE, widget=area, **options)
        case "number":
            typed = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
            return PlainDecimalField(widget=typed, **options)
        case "scale":
            return _choice([(str(n), number_format(n)) for n in range(11)], int, options)
        case "yes_no":
            words = [("yes", gettext_lazy("Yes")), ("no", gettext_lazy("No"))]
            return _choice(words, {"yes": True, "no": False}.__getitem__, options)
    return _choice(asked.choices, str, options)


def _choice(
    choices: Sequence[tuple[str, Any]], coerce: Any, options: Mapping[str, Any]
) -> forms.Field:
    return forms.TypedChoiceField(
        choices=choices, coerce=coerce, empty_value=None, widget=forms.RadioSelect, **options
    )


def _unit_field(unit: str) -> forms.Field:
    return forms.ChoiceField(
        label=gettext_lazy("Unit"), choices=list(SIGNS.items()), initial=unit, required=False,
        widget=forms.RadioSelect,
    )  # fmt: skip
