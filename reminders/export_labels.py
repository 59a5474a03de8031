"""What the fields of a record are called in a download, where the model itself has no name for them in words."""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

LABELS: dict[str, Promise] = {
    "acknowledged_by": _("seen by"),
    "anchor": _("event"),
    "answer": _("answer"),
    "answered_at": _("answered"),
    "answered_by": _("answered by"),
    "answers": _("answers"),
    "appointment": _("visit"),
    "asked_at": _("asked"),
    "asked_from": _("time of the visit then"),
    "body": _("text"),
    "bounced_at": _("came back"),
    "by": _("by"),
    "category": _("about"),
    "confirmed_by": _("confirmed by"),
    "decided_at": _("decided"),
    "end_asked_by": _("asked to end by"),
    "exercise": _("exercise"),
    "form": _("consent"),
    "is_on": _("mails wanted"),
    "kind": _("kind"),
    "language": _("language"),
    "local_date": _("day"),
    "local_time": _("time"),
    "location": _("place"),
    "logged_at": _("noted"),
    "note": _("note"),
    "on": _("day"),
    "prescribed_by": _("prescribed by"),
    "prescription": _("exercise"),
    "procedure": _("operation"),
    "questionnaire": _("questions"),
    "reason": _("reason"),
    "recipient": _("to"),
    "released_at": _("released"),
    "released_by": _("released by"),
    "replied_at": _("replied"),
    "replied_by": _("replied by"),
    "resolved_by": _("closed by"),
    "resulted_at": _("result written"),
    "resulted_by": _("result by"),
    "round": _("round of the day"),
    "sent_at": _("sent"),
    "starts_at": _("begins"),
    "state": _("state"),
    "status": _("state"),
    "step": _("step"),
    "subject": _("subject"),
    "surgeon": _("surgeon"),
    "text": _("text"),
    "time_zone": _("time zone"),
    "title": _("title"),
    "to_address": _("to the address"),
    "told_at": _("told"),
    "user": _("person"),
    "version": _("pathway"),
    "window_from": _("not before"),
    "window_until": _("not after"),
}


def label_of(field: Any) -> str:
    """The field's name in the language in force. Raises KeyError for one that has none, which a test would meet."""
    name = field.verbose_name if isinstance(field.verbose_name, Promise) else LABELS[field.name]
    words = str(name)
    return words[:1].upper() + words[1:]
