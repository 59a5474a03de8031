"""What staff fill in about the catalogue: settling a point, filling a slot, approving a version."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from portal.models import Clinic
from portal.staff_forms import StaffForm
from procedures.guide_actions import WordsRefused, refuse_unfit
from procedures.models import Disagreement, DisagreementValue, Slot

OWN = "own"


class ClinicForm(StaffForm):
    """A form about one of the person's clinics; with a single one there is nothing to choose."""

    clinic = forms.ModelChoiceField(Clinic.objects.none(), label=_("Clinic"), empty_label=None)

    def __init__(self, *args: Any, clinics: QuerySet[Clinic], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer_rows("clinic", clinics)
        if len(rows := list(clinics[:2])) == 1:
            field = self.fields["clinic"]
            field.widget, field.initial = forms.HiddenInput(), rows[0].pk


class ResolveForm(ClinicForm):
    """One of the sources' values, or the clinic's own, with a reason."""

    choice = forms.ChoiceField(label=_("What holds at this clinic"), widget=forms.RadioSelect)
    own_value = forms.CharField(
        label=_("Our own words"),
        required=False,
        max_length=300,
        help_text=_("Only if you chose our own words. Patients may read them."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("It is kept with your name."),
    )

    def __init__(self, *args: Any, disagreement: Disagreement, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by_key = {str(value.pk): value for value in disagreement.values.all()}
        choices = [(key, _with_sources(value)) for key, value in self.by_key.items()]
        self.offer("choice", [*choices, (OWN, _("Our own words"))])

    @property
    def value(self) -> DisagreementValue | None:
        """The value that was chosen; None for the clinic's own words."""
        return self.by_key.get(self.cleaned_data["choice"])

    @property
    def own_words(self) -> str:
        """The clinic's own words, where they were chosen."""
        return self.cleaned_data["own_value"] if self.cleaned_data["choice"] == OWN else ""


def _with_sources(value: DisagreementValue) -> str:
    return f"{value.statement} ({', '.join(source.key for source in value.sources.all())})"


class SlotForm(ClinicForm):
    """What a clinic puts into a slot."""

    value = forms.CharField(label=_("Value"), max_length=500)

    def __init__(self, *args: Any, slot: Slot, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["value"].help_text = slot.hint
        if slot.kind in (Slot.Kind.WEEKS, Slot.Kind.DAYS):
            self.fields["value"].label = slot.get_kind_display().capitalize()
            self.fields["value"].widget.attrs["inputmode"] = "numeric"


class WordsForm(StaffForm):
    """A clinic's own words for a section of the guide.

    `seen` is the number of the words that were there when the form was opened, `shown` the digest of
    those that were looked at before saving.
    """

    heading = forms.CharField(label=_("Heading"), max_length=120)
    body = forms.CharField(
        label=_("Words"),
        max_length=5_000,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 12}),
        help_text=_(
            "Short, plain sentences. A list has a hyphen and a space before each line, **two stars** "
            "make words bold. HTML is not taken."
        ),
    )
    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    shown = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        """Look at the words as the action will."""
        data = super().clean() or {}
        if {"heading", "body"} <= data.keys():
            try:
                refuse_unfit(data["heading"], data["body"])
            except WordsRefused as error:
                self.refuse(error)
        return data

    @property
    def digest(self) -> str:
        """SHA-256 of the words as they were sent."""
        words = json.dumps([self.cleaned_data["heading"], self.cleaned_data["body"]])
        return hashlib.sha256(words.encode()).hexdigest()

    @property
    def was_shown(self) -> bool:
        """Whether these very words were looked at before they are saved."""
        return self.cleaned_data["shown"] == self.digest


class ReturnForm(StaffForm):
    """The wish to have the catalogue's words again, and what was there when it was made."""

    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


class ApproveForm(StaffForm):
    """The day by which the version is to be read again."""

    review_on = forms.DateField(
        label=_("Read it again by"), required=False, help_text=_("Left empty: in one year.")
    )
