"""Forms about exercises: a round that was done, a prescription, and a programme to copy."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from patients.models import Episode
from patients.models.exercises import MOST_REPETITIONS, MOST_SETS, MOST_TIMES_A_DAY
from portal.staff_forms import StaffForm
from procedures.models import Exercise
from procedures.question_wording import in_language


class RoundForm(forms.Form):
    """One round: done, with the pain before and after it, or taken back.

    A button sends one value, so it names the round as `round`, or as `undo` where it is taken back.
    """

    round = forms.IntegerField(min_value=1, max_value=MOST_TIMES_A_DAY, required=False)
    undo = forms.IntegerField(min_value=1, max_value=MOST_TIMES_A_DAY, required=False)
    pain_before = forms.IntegerField(min_value=0, max_value=10, required=False)
    pain_after = forms.IntegerField(min_value=0, max_value=10, required=False)

    def clean(self) -> dict[str, Any]:
        """Either a round or one to take back."""
        values = super().clean() or {}
        if (values.get("round") is None) == (values.get("undo") is None):
            raise forms.ValidationError(_("Choose one time of the day."))
        return values


class PrescriptionForm(StaffForm):
    """One exercise of the library and how much of it."""

    exercise = forms.ModelChoiceField(Exercise.objects.none(), label=_("Exercise"))
    sets = forms.IntegerField(label=_("Sets"), min_value=1, max_value=MOST_SETS)
    repetitions = forms.IntegerField(
        label=_("Repetitions"), min_value=1, max_value=MOST_REPETITIONS
    )
    times_a_day = forms.IntegerField(
        label=_("Times a day"), min_value=1, max_value=MOST_TIMES_A_DAY
    )
    starts_on = forms.DateField(label=_("From"))
    last_on = forms.DateField(
        label=_("Until"), required=False, help_text=_("The last day. Leave it empty for no end.")
    )
    note = forms.CharField(
        label=_("Note to the patient"), required=False, max_length=300,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("In plain words. It stands below the exercise."),
    )  # fmt: skip

    def __init__(self, *args: Any, exercises: Iterable[Exercise], language: str, **kwargs: Any):
        super().__init__(*args, **kwargs)
        rows = list(exercises)
        field: Any = self.fields["exercise"]
        field.queryset = Exercise.objects.filter(pk__in=[row.pk for row in rows])
        field.choices = [("", "---"), *_by_phase(rows, language)]

    @property
    def dose(self) -> dict[str, Any]:
        """What the action takes."""
        return {name: value for name, value in self.cleaned_data.items() if name != "ticket"}


def _by_phase(rows: list[Exercise], language: str) -> Iterable[tuple[str, list[tuple[Any, str]]]]:
    """The library as a menu: a group for each phase, in the order of recovery."""
    order = list(Exercise.Phase)
    rows = sorted(rows, key=lambda row: (order.index(Exercise.Phase(row.phase)), row.position))
    for phase, group in groupby(rows, key=lambda row: row.phase):
        label = str(Exercise.Phase(phase).label).capitalize()
        yield label, [(row.pk, str(in_language(row.words, language)[1]["name"])) for row in group]


class CopyForm(StaffForm):
    """Whose programme is copied."""

    source = forms.ModelChoiceField(
        Episode.objects.none(), label=_("Copy from"),
        help_text=_("Notes are not copied. What is prescribed here already stays as it is."),
    )  # fmt: skip

    def __init__(self, *args: Any, sources: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["source"]
        field.queryset = sources
        field.label_from_instance = _programme
        field.empty_label = None


def _programme(episode: Any) -> str:
    return f"{episode.patient.name} ({episode.patient.record_number}): {episode.exercises}"
