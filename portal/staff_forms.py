"""How forms of the staff pages look and behave: unfold's input styles, native date fields, a ticket each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from unfold.widgets import CHECKBOX_CLASSES, INPUT_CLASSES, SELECT_CLASSES, TEXTAREA_CLASSES

from portal.models import Clinic, Role
from portal.once import is_spent, new_ticket, spend


class DayInput(forms.DateInput):
    """The browser's own date field, which needs no script and writes the date in the reader's order."""

    input_type = "date"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="%Y-%m-%d", **kwargs)


class TimeOfDayInput(forms.TimeInput):
    """The browser's own time field."""

    input_type = "time"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="%H:%M", **kwargs)


class StaffForm(forms.Form):
    """A form in unfold's look. `act_once` is asked inside the transaction of the change."""

    error_css_class = "errors"
    ticket = forms.CharField(max_length=32, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["ticket"].initial = new_ticket
        self.redress()

    def redress(self) -> None:
        """Give every field its look; a form that adds fields of its own asks for it again."""
        for field in self.fields.values():
            _dress(field)

    def offer(self, name: str, choices: Iterable[Any]) -> None:
        """Let a field be chosen from these pairs of value and label, or groups of them, and nothing else."""
        cast("forms.ChoiceField", self.fields[name]).choices = list(choices)

    def offer_rows(self, name: str, rows: QuerySet[Any]) -> None:
        """Let a field be chosen from these rows, and no others."""
        cast("forms.ModelChoiceField[Any]", self.fields[name]).queryset = rows

    @property
    def rows(self) -> list[forms.BoundField]:
        """The fields that a person fills in."""
        return self.visible_fields()

    @property
    def was_sent_before(self) -> bool:
        """Whether this very form has done its work already: a second press of the button."""
        return is_spent(str(self.data.get("ticket", "")))

    def act_once(self) -> bool:
        """Whether this is the first time that the form is sent."""
        return spend(self.cleaned_data["ticket"] or new_ticket())

    def refuse(self, error: ValidationError) -> None:
        """Show what an action objected to, at the field it names where the form has that field."""
        if not hasattr(error, "error_dict"):
            self.add_error(None, error)
            return
        for name, errors in error.error_dict.items():
            self.add_error(name if name in self.fields else None, errors)


def _dress(field: forms.Field) -> None:
    if isinstance(field, forms.DateField):
        field.widget = DayInput(attrs=field.widget.attrs)
    if isinstance(field, forms.TimeField):
        field.widget = TimeOfDayInput(attrs=field.widget.attrs)
    classes = _classes(field.widget)
    if classes:
        field.widget.attrs["class"] = " ".join(classes)


def _classes(widget: forms.Widget) -> list[str]:
    if isinstance(widget, (forms.RadioSelect, forms.CheckboxSelectMultiple, forms.HiddenInput)):
        return []
    if isinstance(widget, forms.CheckboxInput):
        return CHECKBOX_CLASSES
    if isinstance(widget, forms.Select):
        return SELECT_CLASSES
    return TEXTAREA_CLASSES if isinstance(widget, forms.Textarea) else INPUT_CLASSES


class ReasonForm(StaffForm):
    """Why something is done; kept in the audit trail."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        help_text=_("It is kept in the audit trail. Do not name other patients."),
    )


class ConfirmForm(StaffForm):
    """A question that is answered by the button alone."""


class StaffInvitation(StaffForm):
    """A new member of staff."""

    name = forms.CharField(label=_("Name"), max_length=150)
    email = forms.EmailField(label=_("Email address"), max_length=254)
    clinic = forms.ModelChoiceField(Clinic.objects.none(), label=_("Clinic"), empty_label=None)
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)

    def __init__(self, *args: Any, clinics: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer_rows("clinic", clinics)


class RoleForm(StaffForm):
    """One more role of a member of staff."""

    clinic = forms.ModelChoiceField(Clinic.objects.none(), label=_("Clinic"), empty_label=None)
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)

    def __init__(self, *args: Any, clinics: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer_rows("clinic", clinics)
