"""What is wrong with a cell or a row of a list, in words. Codes are stored, so that each reader has their language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

PROBLEMS: Mapping[str, Any] = {
    "missing": _("This is missing."),
    "too_long": _("This is too long."),
    "short_year": _("The year has two digits. Write four: it could be two centuries."),
    "other_order": _("This date does not fit the order chosen for the list."),
    "ambiguous": _(
        "This date can be read in two ways, and the list holds dates in both orders. Write the year first: 1990-12-31."
    ),
    "no_date": _("This is not a date."),
    "not_born": _("The date of birth lies in the future, or before 1900."),
    "far_day": _("The day of surgery lies too far away. Please check the year."),
    "no_answer": _("Write yes or no."),
    "no_side": _("Write left, right or both."),
    "no_address": _("This is not an email address."),
    "address_taken": _("Another person’s login has this address."),
    "no_operation": _("No approved pathway of the clinic has this name, for a patient of this age."),
    "several_operations": _("Several pathways fit this name. Write it in full."),
    "operation_missing": _("A side, day or surgeon is given, and no operation."),
    "no_surgeon": _("No surgeon of the clinic has this name."),
    "number_taken": _("Somebody else has this record number."),
    "other_birth_date": _(
        "The patient with this number has another date of birth. If the list is right, correct the patient’s page."
    ),
    "twice_in_list": _("Another row of the list gives this record number to somebody else."),
    "twin_in_list": _(
        "Row %(row)s looks like the same person under another record number. If it is, give both rows the same number "
        "or leave this one out. If not, say below that it is another person."
    ),
    "deceased": _("This patient has died."),
    "booked_already": _("This operation is booked already, for another day. Move it on the patient’s page."),
    "changed_since": _("What is recorded has changed since the list was compared."),
    "likely_now": _("Somebody who may be the same person was added since the list was compared."),
    "unexpected": _("This row could not be entered. Nothing of it was kept."),
    "sent_already": _("Something was sent about this already; it stays."),
    "in_use": _("Something else was recorded about this patient meanwhile; it stays."),
}  # fmt: skip


def in_words(code: str) -> str:
    """A problem for a reader, with the number of the row it names; a sentence that an action raised stands as it is."""
    key, _mark, row = code.partition(":")
    return (
        str(PROBLEMS[key]) % {"row": row}
        if key in PROBLEMS and row
        else str(PROBLEMS.get(code, code))
    )
