"""Forms of the day's work: several X-rays at once, what an X-ray shows, the answer to a question, a note."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from patients.forms import XrayVisit
from patients.models import ImagingRequest
from portal.day_words import date_format
from portal.staff_forms import StaffForm


class XrayChoice(forms.ModelMultipleChoiceField):
    """X-rays to book, each named by its patient and its window."""

    def label_from_instance(self, obj: Any) -> str:
        """The patient, the record number, and between which days."""
        patient = obj.episode.patient
        window = f"{date_format(obj.window_from, 'j M')} – {date_format(obj.window_until, 'j M Y')}"
        return f"{patient.name} ({patient.record_number}): {window}"


class XrayDay(XrayVisit):
    """One day's X-rays, one after the other: when the first is, how long each takes, and whose they are."""

    requests = XrayChoice(
        ImagingRequest.objects.none(),
        label=gettext_lazy("Whose"),
        widget=forms.CheckboxSelectMultiple,
    )
    field_order = ("on", "at", "minutes", "location", "note", "requests")

    def __init__(self, *args: Any, requests: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer_rows("requests", requests)
        self.fields["at"].label = _("Time of the first")
        self.fields["minutes"].label = _("Minutes for each")

    @property
    def slots(self) -> list[tuple[time, ImagingRequest]]:
        """The time of each chosen X-ray, in the order of their windows."""
        values = self.cleaned_data
        first = datetime.combine(values["on"], values["at"])
        step = timedelta(minutes=values["minutes"])
        return [
            ((first + number * step).time(), row) for number, row in enumerate(values["requests"])
        ]

    def clean(self) -> dict[str, Any]:
        """Refuse a list that runs past midnight."""
        values = super().clean() or {}
        if {"on", "at", "minutes", "requests"} <= values.keys():
            length = timedelta(minutes=values["minutes"]) * len(values["requests"])
            end = datetime.combine(values["on"], values["at"]) + length
            if end.date() != values["on"]:
                self.add_error("requests", _("The last one would end after midnight."))
        return values


class ReplyForm(StaffForm):
    """The answer to a patient's question about a step."""

    reply = forms.CharField(
        label=gettext_lazy("Your answer"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=gettext_lazy(
            "Whoever asked reads it in the web login. Write plainly and kindly."
        ),
    )


class NoteForm(StaffForm):
    """A note about a patient, for staff alone."""

    text = forms.CharField(
        label=gettext_lazy("Note"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy(
            "For staff. It cannot be changed later; a copy of the record that a patient asks for holds it."
        ),
    )


class ResultForm(StaffForm):
    """What an X-ray shows, and whether the patient may read it."""

    result = forms.CharField(
        label=gettext_lazy("Result"), max_length=1000, widget=forms.Textarea(attrs={"rows": 5})
    )
    release = forms.BooleanField(
        label=gettext_lazy("Let the patient read it now"),
        required=False,
        help_text=gettext_lazy("Only once somebody has talked to them where it matters."),
    )
