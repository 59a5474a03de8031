"""Forms about becoming smoke-free: the quit day with what helps, and a slip."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from patients.actions.smoking import TOLD_WITHIN
from patients.models import Slip, SmokeFreePlan
from patients.smoke_free import SmokeFree
from portal.dates import DayField
from portal.day_words import date_format
from portal.once import new_ticket

# A quit day further away than this is a slip of the keyboard, or a wish.
QUIT_WITHIN = timedelta(days=365)
LONG_AGO = timedelta(days=50 * 365)


class SmokeFreePlanForm(forms.ModelForm):
    """The day of stopping, and what helps to stay with it."""

    quit_on = DayField(
        label=gettext_lazy("My smoke-free day"),
        help_text=gettext_lazy("The day you stopped, or the day you mean to."),
    )
    field_order = ("quit_on", "why", "triggers", "instead", "supporter", "spent_a_day", "currency")

    class Meta:
        model = SmokeFreePlan
        fields = ("why", "triggers", "instead", "supporter", "spent_a_day", "currency")
        labels = {
            "why": gettext_lazy("Why I want to be smoke-free"),
            "triggers": gettext_lazy("When do I want to smoke most?"),
            "instead": gettext_lazy("What will I do instead?"),
            "supporter": gettext_lazy("Who helps me?"),
            "spent_a_day": gettext_lazy("What did smoking cost you in a day?"),
            "currency": gettext_lazy("Currency"),
        }
        help_texts = {
            "triggers": gettext_lazy("For example: with coffee, after a meal, when I am bored."),
            "instead": gettext_lazy("For example: drink some water, walk, call a friend."),
            "spent_a_day": gettext_lazy("Leave it empty if you do not want to count money."),
        }
        widgets = {
            "why": forms.Textarea(attrs={"rows": 2}),
            "triggers": forms.Textarea(attrs={"rows": 2}),
            "instead": forms.Textarea(attrs={"rows": 2}),
        }

    def __init__(self, *args: Any, known: SmokeFree, **kwargs: Any) -> None:
        self.today = known.today
        kwargs.setdefault("initial", {"quit_on": known.quit_on or known.today})
        kwargs["instance"] = known.plan
        super().__init__(*args, **kwargs)

    def clean_quit_on(self) -> date:
        """Refuse a day that cannot be meant."""
        value: date = self.cleaned_data["quit_on"]
        if not self.today - LONG_AGO <= value <= self.today + QUIT_WITHIN:
            raise forms.ValidationError(_("Please check the year."))
        return value

    @property
    def kept(self) -> dict[str, Any]:
        """What the action takes."""
        return {name: self.cleaned_data[name] for name in (*self.Meta.fields, "quit_on")}


class SlipForm(forms.Form):
    """What happened and when, in two taps."""

    what = forms.ChoiceField(
        label=gettext_lazy("What happened?"),
        choices=Slip.What.choices,
        widget=forms.RadioSelect,
        initial=Slip.What.SMOKED,
    )
    on = forms.TypedChoiceField(label=gettext_lazy("When?"), coerce=date.fromisoformat)
    note = forms.CharField(
        label=gettext_lazy("What led to it?"),
        max_length=300,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    ticket = forms.CharField(max_length=32, widget=forms.HiddenInput)

    def __init__(self, *args: Any, known: SmokeFree, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["ticket"].initial = new_ticket
        field: Any = self.fields["on"]
        field.choices = list(_days(known))
        what: Any = self.fields["what"]
        what.choices = [(value, str(label).capitalize()) for value, label in Slip.What.choices]


def _days(known: SmokeFree) -> Iterator[tuple[str, str]]:
    """The last days on which a slip can lie, today first, as people say them."""
    names = {0: _("Today"), 1: _("Yesterday")}
    for back in range(TOLD_WITHIN.days + 1):
        day = known.today - timedelta(days=back)
        if known.quit_on and day >= known.quit_on:
            yield day.isoformat(), names.get(back) or date_format(day, "l j F")
