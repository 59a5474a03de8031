"""Forms with which staff add and change records. They check what a person typed; actions do the rest."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from patients.models import AppointmentKind, Patient, RelatedPerson
from portal import clock
from portal.models import Clinic, Language, Location
from portal.staff_forms import ReasonForm, StaffForm

OLDEST = date(1900, 1, 1)
FURTHEST_VISIT = timedelta(days=3 * 365)


def _born(value: date) -> date:
    if value > clock.today():
        raise ValidationError(_("The date of birth lies in the future."))
    if value < OLDEST:
        raise ValidationError(_("The date of birth lies before 1900."))
    return value


class PatientFields(StaffForm):
    """What is recorded about a patient, whether new or not."""

    record_number = forms.CharField(label=gettext_lazy("Record number"), max_length=40)
    given_name = forms.CharField(label=gettext_lazy("Given name"), max_length=80)
    family_name = forms.CharField(label=gettext_lazy("Family name"), max_length=80)
    birth_date = forms.DateField(label=gettext_lazy("Date of birth"))
    email = forms.EmailField(
        label=gettext_lazy("Email address"), max_length=254, required=False,
        help_text=gettext_lazy("The patient's own. A child can do without: link a parent or carer instead."),
    )  # fmt: skip
    phone = forms.CharField(label=gettext_lazy("Phone"), max_length=40, required=False)
    uses_nicotine = forms.BooleanField(
        label=gettext_lazy("Smokes or uses nicotine"), required=False
    )
    drives = forms.BooleanField(label=gettext_lazy("Drives"), required=False)
    job = forms.ChoiceField(label=gettext_lazy("Work"), choices=Patient.Job.choices)
    lives_alone = forms.BooleanField(label=gettext_lazy("Lives alone"), required=False)
    cares_for_others = forms.BooleanField(label=gettext_lazy("Cares for others"), required=False)
    uses_wheelchair = forms.BooleanField(label=gettext_lazy("Uses a wheelchair"), required=False)

    def clean_birth_date(self) -> date:
        """Refuse what cannot be a date of birth."""
        return _born(self.cleaned_data["birth_date"])

    @property
    def recorded(self) -> dict[str, Any]:
        """The patient's own fields, without the login's and the form's."""
        own = {"email", "ticket", "clinic", "language", "invite"}
        return {name: value for name, value in self.cleaned_data.items() if name not in own}


class NewPatient(PatientFields):
    """A new patient, at one of the clinics where the person may add one."""

    clinic = forms.ModelChoiceField(
        Clinic.objects.none(), label=gettext_lazy("Clinic"), empty_label=None
    )
    language = forms.ChoiceField(
        label=gettext_lazy("Language of mails and pages"), choices=Language.choices
    )
    invite = forms.BooleanField(
        label=gettext_lazy("Send an invitation now"), required=False, initial=True,
        help_text=gettext_lazy("A mail with a link to choose a password."),
    )  # fmt: skip
    field_order = (
        "clinic", "record_number", "given_name", "family_name", "birth_date", "email", "invite", "language",
    )  # fmt: skip

    def __init__(self, *args: Any, clinics: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer_rows("clinic", clinics)
        only = clinics.first()
        if only and clinics.count() == 1:
            self.fields["clinic"].initial = only
            self.fields["clinic"].widget = forms.HiddenInput()


class PatientDetails(PatientFields):
    """What is recorded about a patient, to be corrected."""

    is_restricted = forms.BooleanField(
        label=gettext_lazy("No contact"), required=False,
        help_text=gettext_lazy("No mail of any kind is sent about this patient."),
    )  # fmt: skip


class CarerForm(StaffForm):
    """A parent or carer and what they may see."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=150)
    email = forms.EmailField(label=gettext_lazy("Email address"), max_length=254)
    relationship = forms.CharField(
        label=gettext_lazy("Relationship"),
        max_length=60,
        help_text=gettext_lazy("For example: mother."),
    )
    scope = forms.ChoiceField(
        label=gettext_lazy("May see"), choices=RelatedPerson.Scope.choices, widget=forms.RadioSelect,
        initial=RelatedPerson.Scope.FULL,
    )  # fmt: skip
    ends_on = forms.DateField(
        label=gettext_lazy("Until"),
        required=False,
        help_text=gettext_lazy(
            "Left empty, until somebody ends it; for a child, until the 16th birthday at most."
        ),
    )
    invite = forms.BooleanField(
        label=gettext_lazy("Send an invitation now"), required=False, initial=True
    )

    def clean_ends_on(self) -> date | None:
        """Refuse an access that is over before it begins."""
        value: date | None = self.cleaned_data["ends_on"]
        if value and value <= clock.today():
            raise ValidationError(_("The last day must lie ahead."))
        return value


class RenewForm(ReasonForm):
    """Until when a carer's access goes on, and why."""

    ends_on = forms.DateField(label=gettext_lazy("Until"))


class DeceasedForm(StaffForm):
    """The day on which a patient died."""

    on = forms.DateField(label=gettext_lazy("Day of death"))

    def __init__(self, *args: Any, patient: Patient, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.patient = patient

    def clean_on(self) -> date:
        """Refuse a day that lies ahead, or before the patient was born."""
        value: date = self.cleaned_data["on"]
        if value > clock.now().astimezone(self.patient.clinic.zone).date():
            raise ValidationError(_("The day lies in the future."))
        if value < self.patient.birth_date:
            raise ValidationError(_("The day lies before the date of birth."))
        return value


class VisitTime(StaffForm):
    """The local day and time of a visit."""

    on = forms.DateField(label=gettext_lazy("Day"))
    at = forms.TimeField(
        label=gettext_lazy("Time"), help_text=gettext_lazy("The clinic's local time.")
    )

    def clean_on(self) -> date:
        """Refuse a day that is past, or years away."""
        value: date = self.cleaned_data["on"]
        if value < clock.today():
            raise ValidationError(_("The day is past already."))
        if value > clock.today() + FURTHEST_VISIT:
            raise ValidationError(
                _("The day lies more than three years ahead. Please check the year.")
            )
        return value


class MoveVisit(VisitTime):
    """Another time for a visit, and why."""

    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200, required=False)


class VisitForm(VisitTime):
    """A visit of an episode."""

    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=AppointmentKind.choices)
    minutes = forms.IntegerField(
        label=gettext_lazy("Length in minutes"), min_value=5, max_value=600, initial=30
    )
    location = forms.ModelChoiceField(
        Location.objects.none(),
        label=gettext_lazy("Place"),
        required=False,
        empty_label=gettext_lazy("not known yet"),
    )
    note = forms.CharField(
        label=gettext_lazy("What to bring"), max_length=300, required=False,
        help_text=gettext_lazy("The patient reads this."),
    )  # fmt: skip
    field_order = ("kind", "on", "at", "minutes", "location", "note")

    def __init__(self, *args: Any, clinic: Clinic, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer_rows("location", clinic.locations.all())


class XrayVisit(VisitForm):
    """A visit for an X-ray that a pathway asks for; its kind is settled."""

    kind = None  # type: ignore[assignment]  # takes the field away


class ResolveAlert(StaffForm):
    """What was done about an alert."""

    note = forms.CharField(
        label=gettext_lazy("What was done"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("It stays in the patient's record."),
    )
