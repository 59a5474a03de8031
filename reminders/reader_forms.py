"""The form of a reader's own settings: which mails, in which language, by which clock."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.models import Language, User
from procedures.models import Category

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


def time_zones() -> list[tuple[str, Any]]:
    """The zones to choose from, and first of all the clinic's own."""
    places = sorted(name for name in zoneinfo.available_timezones() if name.startswith(_PLACES))
    return [
        ("", _("The same as the clinic's")),
        *((name, name.replace("_", " ")) for name in places),
    ]


class ReminderSettingsForm(forms.Form):
    """Mails on or off by category, language and time zone."""

    wanted = forms.MultipleChoiceField(
        label=_("Send me mails about"),
        choices=Category.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    language = forms.ChoiceField(label=_("Language of pages and mails"), choices=Language.choices)
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        help_text=_(
            "Change it when you travel: mails then come at the right time of day where you are."
        ),
    )

    def __init__(
        self, *args: Any, reader: User, switched_off: Iterable[str] = (), **kwargs: Any
    ) -> None:
        off = set(switched_off)
        kwargs["initial"] = {
            "wanted": [value for value in Category.values if value not in off],
            "language": reader.language,
            "time_zone": reader.time_zone,
        }
        super().__init__(*args, **kwargs)
        zones = self.fields["time_zone"]
        if isinstance(zones, forms.ChoiceField):
            zones.choices = time_zones()
