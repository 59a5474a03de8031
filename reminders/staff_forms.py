"""Forms with which staff book an operation and set its dates. Implausible dates are refused in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from patients.models import Episode, Patient
from portal.models import Role, User
from portal.staff_forms import ReasonForm, StaffForm
from procedures.models import Audience, Category, PathwayVersion
from reminders.reader_forms import places
from reminders.whatif import AS_STORED, WhatIf, stay

FURTHEST_SURGERY = timedelta(days=2 * 365)
OLDEST_DECISION = timedelta(days=3 * 365)
# An operation that took place on another day than planned may be entered this much later.
ENTERED_LATE = timedelta(days=14)
FURTHEST_EVENT = timedelta(days=365)

DATES = (
    ("admission", gettext_lazy("Coming into hospital")),
    ("discharge", gettext_lazy("Going home")),
    ("quit", gettext_lazy("Stopped smoking")),
)
SMOKES = (("yes", gettext_lazy("smokes")), ("no", gettext_lazy("does not smoke")))


class VersionChoice(forms.ModelChoiceField):
    """A pathway version, named by its operation."""

    def label_from_instance(self, obj: Any) -> str:
        """The pathway, its number, and the operation where its name does not say it."""
        operation, name = obj.pathway.procedure.name, obj.pathway.name
        words = name if name.startswith(operation) else f"{operation}: {name}"
        state = str(obj.get_status_display()).lower()
        values = {"pathway": words, "number": obj.number, "state": state}
        if obj.status == PathwayVersion.Status.ACTIVE:
            return _("%(pathway)s (version %(number)d)") % values
        return _("%(pathway)s (version %(number)d, %(state)s)") % values


class Booking(StaffForm):
    """An operation for a patient, on an approved pathway of the patient's clinic."""

    version = VersionChoice(
        PathwayVersion.objects.none(), label=gettext_lazy("Operation and pathway")
    )
    side = forms.ChoiceField(
        label=gettext_lazy("Side"), choices=Episode.Side.choices, widget=forms.RadioSelect
    )
    surgeon = forms.ModelChoiceField(
        User.objects.none(),
        label=gettext_lazy("Surgeon"),
        required=False,
        empty_label=gettext_lazy("not decided"),
    )
    surgery_on = forms.DateField(label=gettext_lazy("Day of surgery"))
    decision_on = forms.DateField(
        label=gettext_lazy("Decided on"), required=False,
        help_text=gettext_lazy("The day the operation was decided on. Left empty, today."),
    )  # fmt: skip

    def __init__(self, *args: Any, patient: Patient, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.patient, self.today = patient, today
        versions = PathwayVersion.objects.approved().filter(clinic=patient.clinic)
        versions = versions.select_related("pathway__procedure", "clinic")
        self.offer_rows("version", versions.order_by("pathway__procedure__name", "pathway__name"))
        surgeons = User.objects.filter(roles__clinic=patient.clinic, roles__role=Role.SURGEON)
        self.offer_rows("surgeon", surgeons.filter(is_active=True).distinct())

    def clean_surgery_on(self) -> date:
        """Refuse a day that is past, or more than two years ahead."""
        value: date = self.cleaned_data["surgery_on"]
        if value < self.today:
            raise ValidationError(_("The day of surgery is past already."))
        if value > self.today + FURTHEST_SURGERY:
            raise ValidationError(
                _("The day of surgery lies more than two years ahead. Please check the year.")
            )
        return value

    def clean_decision_on(self) -> date | None:
        """Refuse a decision that has not been taken yet, or years ago."""
        value: date | None = self.cleaned_data["decision_on"]
        if value and value > self.today:
            raise ValidationError(_("The day of the decision lies in the future."))
        if value and value < self.today - OLDEST_DECISION:
            raise ValidationError(_("The day of the decision lies more than three years back."))
        return value

    def clean(self) -> dict[str, Any]:
        """Refuse a pathway for the wrong age, and the same operation twice."""
        values = super().clean() or {}
        version, on, side = (values.get(name) for name in ("version", "surgery_on", "side"))
        if version and on:
            self._refuse_wrong_age(version, on)
        if version and side:
            self._refuse_second_booking(version, side)
        return values

    def _refuse_wrong_age(self, version: PathwayVersion, on: date) -> None:
        is_child = self.patient.is_child_on(on)
        audience = version.pathway.audience
        if is_child and audience == Audience.ADULT:
            self.add_error(
                "version", _("This pathway is for adults; the patient is under 18 on that day.")
            )
        if not is_child and audience == Audience.CHILD:
            self.add_error(
                "version",
                _("This pathway is for children; the patient is 18 or older on that day."),
            )

    def _refuse_second_booking(self, version: PathwayVersion, side: str) -> None:
        same = self.patient.episodes.open().filter(procedure=version.pathway.procedure, side=side)
        if same.exists():
            self.add_error(
                None, _("This operation is booked already on this side. Move that booking instead.")
            )

    @property
    def booking(self) -> dict[str, Any]:
        """What `reminders.actions.book` takes from the form."""
        names = ("version", "side", "surgeon", "surgery_on", "decision_on")
        return {name: self.cleaned_data[name] for name in names}


class DateForm(StaffForm):
    """A new day for one anchor of an episode, and why. `anchors` are the ones to choose from."""

    anchor = forms.ChoiceField(label=gettext_lazy("What happens on it"))
    on = forms.DateField(label=gettext_lazy("Day"))
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=200, required=False,
        help_text=gettext_lazy("It is kept in the audit trail. The patient does not see it."),
    )  # fmt: skip

    def __init__(
        self, *args: Any, episode: Episode, today: date, anchors: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.episode, self.today = episode, today
        choices = list(anchors)
        self.offer("anchor", choices)
        if len(choices) == 1:
            self.fields["anchor"].initial = choices[0][0]
            self.fields["anchor"].widget = forms.HiddenInput()

    def clean(self) -> dict[str, Any]:
        """Refuse days that cannot be right for the event."""
        values = super().clean() or {}
        if {"anchor", "on"} <= values.keys():
            problem = self._problem(values["anchor"], values["on"])
            if problem:
                self.add_error("on", problem)
        return values

    def _problem(self, anchor: str, on: date) -> str:
        if on == self.episode.anchors.get(anchor):
            return _("This is the day it has now.")
        if anchor.startswith("milestone:") and on > self.today:
            return _("A milestone is confirmed when it is reached, not ahead of time.")
        if on < self.today - (ENTERED_LATE if anchor == "surgery" else FURTHEST_EVENT):
            return _("The day lies too far back. Please check it.")
        if on > self.today + FURTHEST_SURGERY:
            return _("The day lies more than two years ahead. Please check the year.")
        return self._against_surgery(anchor, on)

    def _against_surgery(self, anchor: str, on: date) -> str:
        surgery, discharge = self.episode.surgery_on, self.episode.anchors.get("discharge")
        if anchor == "discharge" and (surgery is None or on < surgery):
            return _("Nobody goes home before the day of surgery.")
        if anchor == "admission" and surgery and on > surgery:
            return _("Coming into hospital cannot be after the day of surgery.")
        if anchor == "surgery" and discharge and on > discharge:
            return _("The patient went home before that day. Correct the day of going home first.")
        return ""


class SurgeryDone(DateForm):
    """The day on which the operation took place, which may be the day that was planned."""

    def _problem(self, anchor: str, on: date) -> str:
        if on > self.today:
            return _("The day lies in the future.")
        if on < self.today - ENTERED_LATE:
            return _("The day lies too far back. Please check it.")
        return self._against_surgery(anchor, on)


EVERYTHING = gettext_lazy("The whole plan: pause everything")


class HoldForm(StaffForm):
    """What of a plan is stopped, and why. `steps` are keys and titles."""

    what = forms.ChoiceField(label=gettext_lazy("What to stop"))
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=200,
        help_text=gettext_lazy("It is kept in the audit trail and shown to staff. The patient does not see it."),
    )  # fmt: skip

    def __init__(self, *args: Any, steps: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = [(f"category:{key}", name) for key, name in Category.choices]
        one = [(f"step:{key}", title) for key, title in steps]
        self.offer(
            "what", [("*", EVERYTHING), (_("One kind of message"), kinds), (_("One step"), one)]
        )

    @property
    def target(self) -> str:
        """What is stopped, as the planner knows it."""
        return str(self.cleaned_data["what"])

    @property
    def about(self) -> dict[str, str]:
        """What `reminders.actions.hold` takes from the form."""
        name, _mark, value = self.target.partition(":")
        return {"step_key": value} if name == "step" else {"category": value}

    @property
    def words(self) -> str:
        """What is stopped, in words."""
        field: Any = self.fields["what"]
        flat = [
            pair
            for key, group in field.choices
            for pair in (group if isinstance(group, list) else [(key, group)])
        ]
        return str(dict(flat)[self.target])


class PostponeForm(ReasonForm):
    """Why surgery is postponed without a new day."""

    def clean(self) -> dict[str, Any]:
        """Add what the pages about dates read: surgery, and no day."""
        return {**(super().clean() or {}), "anchor": "surgery", "on": None}


class WhatIfForm(StaffForm):
    """What to imagine beside what is, in any combination. It changes nothing, so that its ticket is not sent."""

    other_surgery_on = forms.DateField(label=gettext_lazy("Beside it: surgery on"), required=False)
    other_version = VersionChoice(
        PathwayVersion.objects.none(), label=gettext_lazy("Beside it: version"), required=False,
        empty_label=gettext_lazy("the same"),
    )  # fmt: skip
    other_admission_on = forms.DateField(
        label=gettext_lazy("Beside it: coming into hospital on"), required=False
    )
    other_discharge_on = forms.DateField(
        label=gettext_lazy("Beside it: going home on"), required=False
    )
    other_quit_on = forms.DateField(
        label=gettext_lazy("Beside it: stopped smoking on"), required=False
    )
    other_nicotine = forms.ChoiceField(
        label=gettext_lazy("Beside it: smoking"), required=False,
        choices=(("", gettext_lazy("as it is")), *SMOKES),
    )  # fmt: skip
    other_zone = forms.ChoiceField(
        label=gettext_lazy("Beside it: time zone of the readers"), required=False
    )
    other_without = forms.MultipleChoiceField(
        label=gettext_lazy("Beside it: switched off"), required=False, choices=Category.choices,
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    FURTHER = (
        "other_admission_on", "other_discharge_on", "other_quit_on", "other_nicotine", "other_zone", "other_without",
    )  # fmt: skip

    def __init__(self, *args: Any, versions: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        self.offer_rows("other_version", versions)
        self.offer("other_zone", [("", gettext_lazy("as it is")), *places()])

    @property
    def rows(self) -> list[forms.BoundField]:
        """What is asked for most."""
        return [field for field in super().rows if field.name not in self.FURTHER]

    @property
    def further(self) -> list[forms.BoundField]:
        """What is asked for less, and is folded away."""
        return [self[name] for name in self.FURTHER]

    @property
    def goes_further(self) -> bool:
        """Whether something of that is filled in, right or wrong."""
        return any(field.value() for field in self.further)

    def clean(self) -> dict[str, Any]:
        """Refuse days that cannot be meant."""
        values = super().clean() or {}
        for name, on in [*values.items()]:
            if isinstance(on, date) and abs(on - self.today) > FURTHEST_SURGERY:
                self.add_error(
                    name, _("The day lies more than two years away. Please check the year.")
                )
        return values

    def anchors_on(self, on: date) -> dict[str, date | None]:
        """The dates that another day of surgery brings with it."""
        return {"surgery": on}

    def _anchors(self) -> dict[str, date | None]:
        given = self.cleaned_data
        on = given["other_surgery_on"]
        own = {name: given[f"other_{name}_on"] for name, _label in DATES}
        return (self.anchors_on(on) if on else {}) | {name: on for name, on in own.items() if on}

    @property
    def imagined(self) -> WhatIf | None:
        """The other side; None where nothing else is asked for."""
        given = self.cleaned_data
        smokes = given["other_nicotine"]
        imagined = WhatIf(
            anchors=self._anchors(), version=given["other_version"], zone=given["other_zone"],
            uses_nicotine=smokes == "yes" if smokes else None,
            switched_off=frozenset(given["other_without"]),
        )  # fmt: skip
        return None if imagined == AS_STORED else imagined


class RealWhatIf(WhatIfForm):
    """Other dates, another version, or other circumstances, for an episode."""


class SampleWhatIf(WhatIfForm):
    """An invented patient on a version, beside other dates, circumstances, or another version of the clinic."""

    version = VersionChoice(PathwayVersion.objects.none(), label=gettext_lazy("Pathway"))
    surgery_on = forms.DateField(label=gettext_lazy("Surgery on"))
    uses_nicotine = forms.BooleanField(label=gettext_lazy("Smokes"), required=False)
    field_order = ("version", "surgery_on", "uses_nicotine")

    def __init__(self, *args: Any, versions: Any, **kwargs: Any) -> None:
        super().__init__(*args, versions=versions, **kwargs)
        self.offer_rows("version", versions)
        self.fields["surgery_on"].initial = self.today + timedelta(weeks=8)

    def clean(self) -> dict[str, Any]:
        """Refuse to set versions of two clinics side by side."""
        values = super().clean()
        version, other = values.get("version"), values.get("other_version")
        if version and other and version.clinic_id != other.clinic_id:
            self.add_error("other_version", _("This version belongs to another clinic."))
        return values

    def anchors_on(self, on: date) -> dict[str, date | None]:
        """An invented patient comes in and goes home around surgery."""
        return stay(on)

    @property
    def imagined(self) -> WhatIf | None:
        """The other side, with the dates of this one where no others are asked for."""
        other = super().imagined
        if other is None:
            return None
        return replace(other, anchors=stay(self.cleaned_data["surgery_on"]) | {**other.anchors})
