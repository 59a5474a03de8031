"""What every form says to somebody who left a box empty or filled it in wrongly: our words in place of Django's."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

TOO_LONG = _(
    "Please make this shorter: %(show_value)d letters, and no more than %(limit_value)d fit."
)
TOO_SMALL = _("Please type %(limit_value)s or more.")
TOO_LARGE = _("Please type %(limit_value)s or less.")
CHOOSE_ONE = _("Please choose one.")
CHOOSE_SHOWN = _("Please choose one of those that are shown.")
LIMITS = {"min_value": TOO_SMALL, "max_value": TOO_LARGE}

WORDS: Mapping[type[forms.Field], Mapping[str, Any]] = MappingProxyType(
    {
        forms.Field: {"required": _("Please fill this in.")},
        forms.CharField: {"max_length": TOO_LONG},
        forms.EmailField: {"invalid": _("Please type an email address, such as name@example.org.")},
        forms.IntegerField: {"invalid": _("Please type a whole number, such as 3."), **LIMITS},
        forms.DecimalField: {"invalid": _("Please type a number in digits."), **LIMITS},
        forms.BooleanField: {"required": _("Please tick this to go on.")},
        forms.FileField: {"required": _("Please choose a file.")},
        forms.ChoiceField: {"required": CHOOSE_ONE, "invalid_choice": CHOOSE_SHOWN},
        forms.MultipleChoiceField: {
            "required": _("Please choose at least one."),
            "invalid_choice": CHOOSE_SHOWN,
        },
        forms.ModelChoiceField: {"required": CHOOSE_ONE, "invalid_choice": CHOOSE_SHOWN},
        forms.ModelMultipleChoiceField: {"required": _("Please choose at least one.")},
    }
)


def use() -> None:
    """Let every field say it so, those of forms that are not ours too: signing in, passwords, the admin.

    A field takes its words when its form is defined, so this comes before any form (portal.apps).
    """
    for kind, words in WORDS.items():
        kind.default_error_messages = {**vars(kind).get("default_error_messages", {}), **words}
