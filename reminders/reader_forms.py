"""The forms of a reader's own settings: which mails, when, in which language, by which clock, and a pause."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import date, time, timedelta
from functools import cache, lru_cache
from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.utils.choices import BaseChoiceIterator
from django.utils.formats import time_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from portal.dates import DayField
from portal.models import Language
from procedures.models import Category
from reminders.actions import Chosen

LONGEST_PAUSE = timedelta(weeks=8)

# Names of the IANA database that are places; the others are old spellings and abbreviations.
_PLACES = (
    "Africa/",
    "America/",
    "Antarctica/",
    "Asia/",
    "Atlantic/",
    "Australia/",
    "Europe/",
    "Indian/",
    "Pacific/",
)


class LongSelect(forms.Select):
    """A choice of hundreds, written in one go: a template for each of them takes longer than the page around it."""

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        """The element, as Django's own widget writes it."""
        chosen = set(self.format_value(value))
        written = _options(tuple((str(key), str(label)) for key, label in self.choices))
        options = mark_safe(  # noqa: S308 - escaped as they were written
            "\n".join(plain if key not in chosen else picked for key, plain, picked in written)
        )
        around = flatatt(self.build_attrs(self.attrs, {"name": name, **(attrs or {})}))
        return format_html("<select{}>\n{}\n</select>", around, options)


@lru_cache(maxsize=8)
def _options(choices: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str, str], ...]:
    """Each key with its option as it is, and as it is when it is chosen. The same for every reader of a language."""
    return tuple(
        (
            key,
            format_html('<option value="{}">{}</option>', key, label),
            format_html('<option value="{}" selected>{}</option>', key, label),
        )
        for key, label in choices
    )


@cache
def places() -> tuple[tuple[str, str], ...]:
    """The zones by the names of their places. Reading them goes through a folder of the machine: once a process."""
    found = sorted(name for name in zoneinfo.available_timezones() if name.startswith(_PLACES))
    return tuple((name, name.replace("_", " ")) for name in found)


def time_zones() -> list[tuple[str, Any]]:
    """The zones to choose from, and first of all the clinic's own."""
    return [
        ("", _("The same as the clinic's")),
        *places(),
    ]


class Zones(BaseChoiceIterator):
    """The zones to choose from, as a form takes them without looking at each of them first."""

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(time_zones())


def times_of_day() -> list[tuple[str, Any]]:
    """The full hours to choose from; the clinic's own hours for mail hold all the same."""
    return [
        ("", _("As the clinic planned it")),
        *((f"{hour:02}:00", time_format(time(hour), "TIME_FORMAT")) for hour in range(7, 22)),
    ]


class ReminderSettingsForm(forms.Form):
    """Mails on or off by category, their time of day, their language, and by whose clock."""

    wanted = forms.MultipleChoiceField(
        label=_("Send me mails about"),
        choices=Category.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    mail_at = forms.ChoiceField(
        label=_("Time of day"),
        required=False,
        help_text=_(
            "For mails that can come at any time. What belongs to an hour, such as the day before surgery, keeps it."
        ),
    )
    language = forms.ChoiceField(label=_("Language of pages and mails"), choices=Language.choices)
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        widget=LongSelect,
        help_text=_(
            "Change it when you travel: mails then come at the right time of day where you are."
        ),
    )

    def __init__(self, *args: Any, chosen: Chosen, **kwargs: Any) -> None:
        kwargs["initial"] = {
            "wanted": tuple(value for value in Category.values if value in chosen.wanted),
            "mail_at": f"{chosen.mail_at:%H:%M}" if chosen.mail_at else "",
            "language": chosen.language,
            "time_zone": chosen.time_zone,
        }
        super().__init__(*args, **kwargs)
        for name, choices in (("time_zone", Zones()), ("mail_at", times_of_day())):
            field = self.fields[name]
            if isinstance(field, forms.ChoiceField):
                field.choices = choices

    def chosen(self, before: Chosen) -> Chosen:
        """What was chosen; a pause stays as it was."""
        given = self.cleaned_data
        at = given["mail_at"]
        return before._replace(
            wanted=frozenset(given["wanted"]),
            language=given["language"],
            time_zone=given["time_zone"],
            mail_at=time.fromisoformat(at) if at else None,
        )


class PauseForm(forms.Form):
    """The first and the last day of a holiday from mail."""

    starts_on = DayField(label=_("First day without mail"))
    ends_on = DayField(label=_("Last day without mail"))

    def __init__(
        self, *args: Any, today: date, paused: tuple[date, date] | None, **kwargs: Any
    ) -> None:
        first, last = paused or (today, None)
        kwargs["initial"] = {"starts_on": first, "ends_on": last}
        super().__init__(*args, **kwargs)
        self.today = today

    def clean(self) -> dict[str, Any]:
        """Refuse a pause that is over, runs backwards, or is too long to be one."""
        first, last = self.cleaned_data.get("starts_on"), self.cleaned_data.get("ends_on")
        if first is None or last is None:
            return self.cleaned_data
        if last < first:
            self.add_error("ends_on", _("The last day lies before the first."))
        elif last < self.today:
            self.add_error("ends_on", _("This pause would be over already."))
        elif last - first > LONGEST_PAUSE:
            self.add_error("ends_on", _("At most eight weeks. For longer, call the clinic."))
        return self.cleaned_data

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last day, both without mail."""
        return self.cleaned_data["starts_on"], self.cleaned_data["ends_on"]


class QuestionForm(forms.Form):
    """What somebody wants to know about a step."""

    note = forms.CharField(max_length=500)
